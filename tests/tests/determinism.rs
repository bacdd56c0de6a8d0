//! The same inputs give the same bytes: whatever the number of threads, whether
//! features were computed or found, and wherever the photos are.

use std::fs;

use graft_tests::sandbox::{Sandbox, files, fixture, run};

#[test]
fn threads_cache_and_place_leave_no_trace_in_a_bundle() {
    let sandbox = Sandbox::with_photos(20);
    let bundle = |data: &str, words: &str| {
        let words = format!("--output task.graft --quiet {words}");
        sandbox.train(data, &words).done();
        fs::read(sandbox.path("task.graft")).unwrap()
    };
    let first = bundle("photos", "--threads 1");
    assert!(bundle("photos", "--threads 2") == first, "found features give other bytes");
    sandbox.run("cache clear").done();
    assert!(bundle("photos", "--threads 2") == first, "two threads give other bytes");
    assert!(bundle("photos", "--no-cache --threads 5") == first, "no cache gives other bytes");

    // The same photos under other names in another folder, named by a table in
    // a third one.
    fs::create_dir_all(sandbox.path("elsewhere")).unwrap();
    fs::create_dir_all(sandbox.path("tables")).unwrap();
    let mut table = "label,path,remark\n".to_owned();
    for (number, (path, photo)) in files(&sandbox.path("photos")).into_iter().enumerate() {
        fs::write(sandbox.path(format!("elsewhere/{number}.jpg")), photo).unwrap();
        let label = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        table += &format!("{label}, ../elsewhere/{number}.jpg ,\"fine, really\"\n");
    }
    sandbox.write("tables/data.csv", table);
    assert!(bundle("tables/data.csv", "") == first, "another place gives other bytes");

    // The comparison can fail: another seed splits otherwise.
    assert!(bundle("photos", "--seed 1") != first);
}

/// Photos that share a run of the network do so with neighbours, so that other
/// batches, threads and gaps in the cache make other company.
#[test]
fn company_leaves_no_trace_in_a_bundle() {
    // So many photos that they share runs by themselves.
    let sandbox = Sandbox::with_photos(40);
    let bundle = |words: &str| {
        let words = format!("--output task.graft --quiet {words}");
        sandbox.train("photos", &words).done();
        fs::read(sandbox.path("task.graft")).unwrap()
    };
    let alone = bundle("--batch 1 --no-cache");
    assert!(bundle("--no-cache") == alone, "pairs give other bytes");
    assert!(bundle("--no-cache --batch 7 --threads 3") == alone, "sevens give other bytes");

    // Rows of others are found, so that photos are beside other photos.
    let half = sandbox.path("half");
    for (path, photo) in files(&sandbox.path("photos")) {
        if path.file_stem().unwrap().to_str().unwrap().ends_with(['2', '3', '7', '8', '9']) {
            let to = half.join(path.strip_prefix(sandbox.path("photos")).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, photo).unwrap();
        }
    }
    sandbox.train("half", "--output half.graft").done();
    assert!(bundle("") == alone, "gaps give other bytes");
}

/// Where company would show, there is none; and the one who waits is told why.
#[test]
fn a_network_that_mixes_its_batch_runs_one_photo_at_a_time() {
    let sandbox = Sandbox::with_photos(40);
    let train = |words: &str| {
        let mut command = sandbox.graft("train photos --no-cache --size 32x32 --model".split(' '));
        command.arg(fixture("company.onnx"));
        command
            .args("--colour rgb --scale 255 --mean 0.5 --std 0.5 --output task.graft".split(' '));
        let said = run(command.args(words.split_whitespace())).done();
        let told = said.stderr.contains("each photo ran alone");
        (told, fs::read(sandbox.path("task.graft")).unwrap())
    };
    let (told, alone) = train("--batch 1");
    assert!(!told);
    let (told, paired) = train("");
    assert!(told && paired == alone);
}

#[test]
fn an_mlp_head_is_as_reproducible() {
    let sandbox = Sandbox::with_photos(20);
    let bundle = |words: &str| {
        let words = format!("--output task.graft --quiet --head mlp --epochs 5 {words}");
        sandbox.train("photos", &words).done();
        fs::read(sandbox.path("task.graft")).unwrap()
    };
    let first = bundle("--threads 1 --no-cache");
    assert!(bundle("--threads 2") == first);
    assert!(bundle("--seed 1") != first);
}

#[test]
fn a_bundle_carries_no_path_of_the_machine_that_made_it() {
    let sandbox = Sandbox::with_photos(12);
    let bytes = fs::read(sandbox.bundle()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for trace in [sandbox.work().to_str().unwrap(), "photos", "0000.png"] {
        assert!(!text.contains(trace), "{trace} is in the bundle");
    }
}
