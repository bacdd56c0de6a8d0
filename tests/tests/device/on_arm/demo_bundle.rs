//! The bundle of the demo, MobileNetV2, on ARM. Needs `make demo`; tests/run.sh
//! leaves this out and says so if its bundle is not there.

use std::fs;
use std::path::PathBuf;

use graft_tests::sandbox::{Sandbox, repository};

use super::answers::{assert_same, on_arm, on_host, write_pictures};
use super::processors;
use crate::board_files::Arch;

fn bundle() -> PathBuf {
    let path = repository().join("target/demo/solar.graft");
    assert!(path.is_file(), "there is no {}: run `make demo`", path.display());
    path
}

#[test]
fn every_processor_answers_as_the_host_does() {
    let sandbox = Sandbox::new();
    let pictures = sandbox.path("pictures");
    write_pictures(&pictures, &[(224, 224), (300, 300), (640, 480)]);
    let host = on_host(&bundle(), &pictures);
    for (arch, cpu) in processors() {
        let largest = assert_same(&cpu, &on_arm(arch, &cpu, &bundle(), &pictures), &host);
        println!("{cpu}: probabilities differ by at most {largest:e}");
    }
}

/// Emulated, one photo takes seconds, so one in sixteen is asked for; all 656 with
/// `GRAFT_ELPV_PHOTOS=all`, which takes half an hour.
#[test]
fn photos_of_solar_cells_have_the_same_answers() {
    let list = fs::read_to_string(repository().join("tests/elpv/test-0.txt"))
        .expect("the list of test photos can be read");
    let names: Vec<&str> = list.lines().collect();
    assert_eq!(names.len(), 656);
    let every = match std::env::var("GRAFT_ELPV_PHOTOS").as_deref() {
        Ok("all") => 1,
        _ => 16,
    };
    let sandbox = Sandbox::new();
    let photos = sandbox.path("photos");
    fs::create_dir(&photos).expect("a folder can be made");
    for name in names.iter().step_by(every) {
        let photo = repository().join(".deps/elpv").join(name);
        assert!(photo.is_file(), "there is no {}: run `make setup`", photo.display());
        let name = photo.file_name().expect("a photo has a name");
        fs::copy(&photo, photos.join(name)).expect("a photo can be copied");
    }
    let host = on_host(&bundle(), &photos);
    let arm = on_arm(Arch::Aarch64, "cortex-a72", &bundle(), &photos);
    let largest = assert_same("cortex-a72", &arm, &host);
    println!("{} photos: probabilities differ by at most {largest:e}", host.len());
}
