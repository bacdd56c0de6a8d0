//! A real broker: Debian's mosquitto on a port of its own.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

use crate::*;

const RAW: [&str; 4] = ["--format", "rgb", "--size", "32x32"];

struct Broker {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

/// Where mosquitto is. Without it these tests fail, unless the environment says
/// that they are to be left out.
fn mosquitto() -> Option<PathBuf> {
    let found = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists());
    if found.is_none() {
        assert!(
            std::env::var_os("GRAFT_WITHOUT_MOSQUITTO").is_some(),
            "mosquitto is missing: apt-get install mosquitto, \
             or set GRAFT_WITHOUT_MOSQUITTO=1 to leave the broker out"
        );
        eprintln!("not run: MQTT with a real broker (GRAFT_WITHOUT_MOSQUITTO is set)");
    }
    found
}

impl Broker {
    fn start(program: &Path, port: Option<u16>, rest: &str) -> Broker {
        let folder = tempfile::tempdir().unwrap();
        // A port that was free a moment ago.
        let port = port.unwrap_or_else(|| {
            TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
        });
        // It keeps root's rights where it has them: the files are private.
        let settings = format!("user root\nlistener {port} 127.0.0.1\n{rest}\n");
        let config = write_file(folder.path(), "mosquitto.conf", settings.as_bytes());
        let child = Command::new(program)
            .args(["-c", &config])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let broker = Broker { child, port, folder };
        until("the broker listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        broker
    }

    /// Subscribes and gives what is published, with whether it was retained.
    fn listen(&self, topic: &str, login: Option<(&str, &str)>) -> Receiver<(String, bool)> {
        let mut options = MqttOptions::new("listener", "127.0.0.1", self.port);
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (client, mut connection) = Client::new(options, 10);
        client.subscribe(topic, QoS::AtLeastOnce).unwrap();
        let (to, heard) = channel();
        let (ready, is_ready) = channel();
        std::thread::spawn(move || {
            // The client must live as long as its connection.
            let _client = client;
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        let _ = ready.send(());
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let text = String::from_utf8(publish.payload.to_vec()).unwrap();
                        if to.send((text, publish.retain)).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        is_ready.recv_timeout(PATIENCE).unwrap();
        heard
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn feed(port: u16, settings: &str, folder: &Path) -> (Graftd, std::process::ChildStdin) {
    let config = write_file(folder, "g.toml", format!("[mqtt]\n{settings}").as_bytes());
    let sink = format!("mqtt:127.0.0.1:{port}/line 3/camera");
    let start = ["--source", "stdin", "--lossless", "--config", &config];
    let mut graftd =
        Graftd::start(&[&start[..], &RAW, &["--sink", "stdout", "--sink", &sink]].concat());
    let stdin = graftd.child.stdin.take().unwrap();
    (graftd, stdin)
}

fn hear(heard: &Receiver<(String, bool)>) -> (Value, bool) {
    let (text, retained) = heard.recv_timeout(PATIENCE).unwrap();
    (serde_json::from_str(&text).unwrap(), retained)
}

#[test]
fn answers_reach_a_broker_with_a_login() {
    let Some(program) = mosquitto() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Made with `mosquitto_passwd -c -b FILE camera secret`.
    let users = write_file(
        folder.path(),
        "users",
        concat!(
            "camera:$7$101$k4Nb26Wv5UIsatRf$",
            "dt0q3LQCSKxkWnBwNqiOFM3Sa/XCY0arBZIfMm6VPHVMabPsw4KCp4E7D3NL+8GCbe82tyubOTm/aTZ1Ui+7GA==\n"
        )
        .as_bytes(),
    );
    let broker =
        Broker::start(&program, None, &format!("allow_anonymous false\npassword_file {users}"));
    let password = write_file(folder.path(), "password", b"secret\n");
    let heard = broker.listen("line 3/#", Some(("camera", "secret")));
    let settings = format!("qos = 1\nusername = \"camera\"\npassword_file = {password:?}\n");
    let (mut graftd, mut stdin) = feed(broker.port, &settings, folder.path());
    graftd.says("connected");
    for picture in pictures(5) {
        stdin.write_all(picture.rgb()).unwrap();
        let answer = graftd.answer();
        assert_eq!(hear(&heard), (answer, false));
    }
    drop(stdin);
    graftd.ends_well();
    assert!(broker.folder.path().exists());
}

#[test]
fn a_broker_that_comes_back_is_told_how_things_are() {
    let Some(program) = mosquitto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&program, None, "allow_anonymous true");
    let port = broker.port;
    let settings = "publish = \"change\"\nretain = true\nqos = 1\nreconnect_at_most_after = 0.5\n";
    let (mut graftd, mut stdin) = feed(port, settings, folder.path());
    graftd.says("connected");
    let (a, label, b) = known_and_unknown();
    let mut show = |graftd: &mut Graftd, picture: &Picture| {
        stdin.write_all(picture.rgb()).unwrap();
        graftd.answer()
    };
    let heard = broker.listen("line 3/camera", None);
    let first = show(&mut graftd, &a);
    assert_eq!(hear(&heard), (first, false));
    // Not a change, and so not published.
    show(&mut graftd, &a);
    let change = show(&mut graftd, &b);
    assert!(change["stable"].is_null());
    assert_eq!(hear(&heard).0, change);

    // While the broker is away answers go on, and it is told the newest.
    drop(broker);
    graftd.says("times in a row");
    show(&mut graftd, &a);
    show(&mut graftd, &b);
    let last = show(&mut graftd, &a);
    assert_eq!(last["stable"], label.as_str());
    let broker = Broker::start(&program, Some(port), "allow_anonymous true");
    graftd.says("connected");
    // Whoever comes later finds it: this broker was started empty.
    until("the newest is retained", || {
        let heard = broker.listen("line 3/camera", None);
        heard.recv_timeout(Duration::from_secs(1)).is_ok_and(|(text, retained)| {
            retained && serde_json::from_str::<Value>(&text).unwrap() == last
        })
    });
    drop(stdin);
    graftd.ends_well();
}

#[test]
fn a_broker_that_is_not_there_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mut graftd, mut stdin) = feed(port, "", folder.path());
    stdin.write_all(&raw(&pictures(50))).unwrap();
    let started = Instant::now();
    for _ in 0..50 {
        graftd.answer();
    }
    drop(stdin);
    graftd.ends_well();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
