//! The office's program and Debian's mosquitto as processes that end with the test.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Place;

pub const LIMIT: Duration = Duration::from_secs(60);
const TOKEN: &str = "let-me-in";

/// A process that ends with the test.
pub struct Running(Child);

impl Running {
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

pub async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Writes `office-{port}.toml`; `broker` is what stands under `[broker]` besides host and port.
pub fn settings(place: &Place, port: u16, broker_port: u16, broker: &str) {
    let database = place.server.as_ref();
    let database = database.map_or_else(String::new, |text| format!("database = \"{text}\"\n"));
    let text = format!(
        "directory = \"data\"\nlisten = \"127.0.0.1:{port}\"\n{database}[broker]\nhost = \"localhost\"\n\
         port = {broker_port}\n{broker}"
    );
    std::fs::write(place.path().join(format!("office-{port}.toml")), text).unwrap();
}

pub fn office(place: &Place, port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_office"));
    let settings = place.path().join(format!("office-{port}.toml"));
    command.arg(arguments[0]).arg("--config").arg(settings);
    command.args(&arguments[1..]);
    command
}

pub fn printed(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Asks the hub at that port.
pub async fn get(port: u16, path: &'static str) -> Option<Value> {
    let ask = move || {
        let url = format!("http://127.0.0.1:{port}/api/v1{path}");
        let request = ureq::get(&url).header("authorization", format!("Bearer {TOKEN}"));
        request.call().ok()?.body_mut().read_to_string().ok()
    };
    let text = tokio::task::spawn_blocking(ask).await.unwrap()?;
    serde_json::from_str(&text).ok()
}

pub async fn start_office(place: &Place, port: u16) -> Running {
    let mut command = office(place, port, &["run"]);
    let child = command
        .env("OFFICE_TOKEN", TOKEN)
        .env("OFFICE_PASSWORD", "only for tests")
        .env("RUST_LOG", "warn")
        .spawn()
        .unwrap();
    let running = Running(child);
    until("the hub is connected to the broker", async || {
        get(port, "/health")
            .await
            .filter(|health| health["broker"] == "ok")
    })
    .await;
    running
}

/// `listener` is what stands under `listener` besides the port.
pub async fn start_broker(place: &Place, port: u16, listener: &str) -> Running {
    let config = format!("user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n{listener}");
    let path = place.path().join("mosquitto.conf");
    std::fs::write(&path, config).unwrap();
    let program = ["/usr/sbin/mosquitto", "mosquitto"].map(Path::new);
    let program = program
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or(Path::new("mosquitto"));
    let mut command = Command::new(program);
    let child = command.arg("-c").arg(path).stderr(Stdio::null()).spawn();
    let running = Running(child.expect("mosquitto is installed (tests/run does it)"));
    until("the broker listens", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    running
}
