//! A PostgreSQL of the tests' own: one private cluster for each test program, on a socket in a temporary directory, one database for each test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// Starts the server as the shell's child, and ends it when the test program is gone, however it ended.
const GUARDIAN: &str = r#"
"$1/initdb" --pgdata "$2/data" --username office --auth trust --encoding UTF8 --no-locale --no-sync >"$2/log" 2>&1 || { cat "$2/log"; exit 1; }
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c "fsync=$3" -c max_connections=200 >>"$2/log" 2>&1 &
echo started
cat >/dev/null
kill -QUIT $!
wait
rm -rf "$2"
"#;

struct Cluster {
    directory: PathBuf,
    databases: u32,
    _guardian: Child,
}

static CLUSTER: Mutex<Option<Cluster>> = Mutex::new(None);

/// The address of a fresh, empty database; whether the server waits for the disk is settled by the first who asks.
pub fn fresh(durable: bool) -> String {
    let mut cluster = CLUSTER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let cluster = cluster.get_or_insert_with(|| start(durable));
    cluster.databases += 1;
    let name = format!("office_{}", cluster.databases);
    psql(&cluster.directory, &format!("CREATE DATABASE {name}"));
    format!(
        "postgres://office@localhost/{name}?host={}",
        cluster.directory.display()
    )
}

fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("postgresql is installed (tests/run does it)");
    let newest = versions.map(|entry| entry.unwrap().path().join("bin")).max();
    newest.expect("postgresql is installed (tests/run does it)")
}

/// PostgreSQL refuses to run as root: then it runs as nobody in particular.
fn unprivileged() -> Option<u32> {
    const NOBODY: u32 = 65_534;
    let me = fs::metadata("/proc/self").unwrap();
    (std::os::unix::fs::MetadataExt::uid(&me) == 0).then_some(NOBODY)
}

/// The server's processes.
pub fn processes() -> Vec<u32> {
    let cluster = CLUSTER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(cluster) = &*cluster else {
        return Vec::new();
    };
    let file = fs::read_to_string(cluster.directory.join("data/postmaster.pid")).unwrap();
    let postmaster: u32 = file.lines().next().unwrap().parse().unwrap();
    let parent = |process: u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        stat.rsplit(") ").next()?.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let all = fs::read_dir("/proc").unwrap();
    let all = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let ours = all.filter(|process| parent(*process) == Some(postmaster));
    ours.chain([postmaster]).collect()
}

/// Runs a statement, or a command of psql's, on the database at this address; in `place`, and into a file there when one is named.
pub fn run(address: &str, place: &Path, text: &str, into: Option<&str>) {
    let mut command = Command::new(programs().join("psql"));
    command.args([
        "--quiet",
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        "--command",
        text,
        address,
    ]);
    if let Some(file) = into {
        command.stdout(fs::File::create(place.join(file)).unwrap());
    }
    assert!(command.current_dir(place).status().unwrap().success(), "{text}");
}

/// Saves the database at this address, as an operator does.
pub fn dump(address: &str, file: &Path) {
    let mut command = Command::new(programs().join("pg_dump"));
    let done = command.arg("--file").arg(file).arg(address).status().unwrap();
    assert!(done.success());
}

/// Empties the database at this address and reads a saved one back.
pub fn load(address: &str, place: &Path, file: &str) {
    run(address, place, "DROP SCHEMA public CASCADE", None);
    run(address, place, "CREATE SCHEMA public", None);
    run(address, place, &format!("\\i {file}"), Some("loaded"));
}

fn start(durable: bool) -> Cluster {
    let directory = tempfile::Builder::new()
        .prefix("office-postgres-")
        .tempdir()
        .unwrap()
        .keep();
    let mut command = Command::new("sh");
    command
        .args(["-c", GUARDIAN, "sh"])
        .arg(programs())
        .arg(&directory)
        .arg(if durable { "on" } else { "off" });
    command
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if let Some(user) = unprivileged() {
        std::os::unix::fs::chown(&directory, Some(user), Some(user)).unwrap();
        command.uid(user).gid(user);
    }
    // Not the test's process group: an interrupt must leave it time to clean up.
    let mut guardian = command.process_group(0).spawn().unwrap();
    let mut said = BufReader::new(guardian.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "started");
    let begun = Instant::now();
    while !query(&directory, "SELECT 1") {
        assert!(
            begun.elapsed() < LIMIT,
            "PostgreSQL does not start; see {}",
            directory.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Cluster {
        directory,
        databases: 0,
        _guardian: guardian,
    }
}

fn query(directory: &Path, text: &str) -> bool {
    let mut command = Command::new(programs().join("psql"));
    command.args([
        "--quiet",
        "--no-psqlrc",
        "--username",
        "office",
        "--dbname",
        "postgres",
        "--command",
        text,
    ]);
    let command = command
        .arg("--host")
        .arg(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().success()
}

fn psql(directory: &Path, text: &str) {
    assert!(query(directory, text), "{text}");
}
