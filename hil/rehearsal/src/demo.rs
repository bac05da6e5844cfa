//! `rehearsal demo`: one cabinet and its office to try with one's own hands, or a scenario that tries them by itself.

mod hands;
mod scenario;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::approval::{Approval, ApprovalError, Deliveries};
use crate::processes::Sink;
use crate::site::{self, Brokerage, Plan, Site, SiteError};

/// The PIN of the demo's courier.
const PIN: &str = "4711";
/// Where the pages are if nobody else is there.
const KIOSK_PORT: u16 = 8080;
const OFFICE_PORT: u16 = 8090;
const HANDS_PORT: u16 = 8070;
/// Between two looks whether all programs still run.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs one cabinet of 24 compartments, a broker and the office, each as a process of its own, over pseudo-terminals and sockets
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Drive the five moves and their failures without anybody's help, check the office's database, and end
    #[arg(long)]
    scenario: bool,
    /// Kill the daemon so many times (kill -9) at random moments of hand-overs, check the laws, and end
    #[arg(long, value_name = "TIMES", conflicts_with = "scenario")]
    kills: Option<u32>,
    /// Keep everything here, and go on from what is here; a temporary directory otherwise
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// Use Debian's mosquitto with TLS and client certificates instead of the rehearsal's own broker
    #[arg(long)]
    mosquitto: bool,
    /// The language of what is printed; left out: as LANG says
    #[arg(long, value_enum)]
    language: Option<Language>,
}

/// A language of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Language {
    fn of_the_terminal() -> Self {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let set = names.iter().filter_map(|name| std::env::var(name).ok());
        let chosen = set.into_iter().find(|value| !value.is_empty());
        if chosen.is_some_and(|value| value.starts_with("zh")) {
            Self::Zh
        } else {
            Self::En
        }
    }

    fn say<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

/// Why the demo does not go on.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    #[error("the system: {0}")]
    System(#[from] std::io::Error),
    #[error("{0:?} ended by itself; its log is in {1}")]
    Ended(site::Program, PathBuf),
    #[error(transparent)]
    Scenario(#[from] scenario::Failed),
}

impl DemoError {
    /// As in sysexits.h.
    const fn code(&self) -> u8 {
        match self {
            Self::Site(SiteError::File { .. }) => 73,
            Self::Site(_) | Self::Approval(_) | Self::Ended(..) => 70,
            Self::System(_) => 71,
            Self::Scenario(_) => 1,
        }
    }
}

/// Runs until Ctrl-C, or until the scenario's end.
pub async fn run(arguments: Arguments) -> ExitCode {
    match stage(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::from(error.code())
        }
    }
}

async fn stage(arguments: &Arguments) -> Result<(), DemoError> {
    let temporary = arguments
        .directory
        .is_none()
        .then(tempfile::tempdir)
        .transpose()?;
    let directory = match (&arguments.directory, &temporary) {
        (Some(directory), _) => std::path::absolute(directory)?,
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => std::env::temp_dir(),
    };
    let brokerage = if arguments.mosquitto {
        Brokerage::Mosquitto
    } else {
        Brokerage::Own
    };
    let language = arguments.language.unwrap_or_else(Language::of_the_terminal);
    let alone = arguments.scenario || arguments.kills.is_some();
    let by_hand = |port| (!alone).then_some(port);
    let plan = Plan::new(&directory, brokerage, by_hand(KIOSK_PORT), by_hand(OFFICE_PORT))?;
    std::fs::create_dir_all(directory.join("logs"))?;
    let site = Site::found(plan, std::env::current_exe()?, to_files(directory.join("logs")))?;
    let outcome = match arguments.kills {
        Some(times) => scenario::run_kills(site, language, times)
            .await
            .map_err(DemoError::from),
        None if arguments.scenario => scenario::run(site, language).await.map_err(DemoError::from),
        None => by_hands(site, language).await,
    };
    if outcome.is_err() {
        let _kept = temporary.map(tempfile::TempDir::keep);
        eprintln!("demo: what the programs said is in {}/logs", directory.display());
    }
    outcome
}

async fn by_hands(mut site: Site, language: Language) -> Result<(), DemoError> {
    tell(language.say("正在启动……", "starting …"));
    let deliveries = Deliveries::listen(site.plan().approval, site::WEBHOOK_SECRET).await?;
    site.start(site::Program::Broker).await?;
    site.start(site::Program::Office).await?;
    let approval = Approval::new(site.plan().office, site.office_secret("token")?);
    let badge = approval.name_staff("wang", &["courier"], PIN, None).await?;
    let help = "12345";
    approval.rule(site.cabinet(), "help_phone", help).await?;
    site.start(site::Program::Hardware).await?;
    site.start(site::Program::Cabinet).await?;
    let address = site::address(Some(HANDS_PORT))?;
    print_addresses(&site, address, language)?;
    let logs = site.path("logs");
    let site = Arc::new(Mutex::new(site));
    let hands = hands::serve(address, site.clone(), approval, deliveries, badge);
    let ended = tokio::select! {
        served = hands => served.map_err(DemoError::from),
        program = one_ended(&site) => Err(DemoError::Ended(program, logs)),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(DemoError::from),
    };
    tell(language.say("\n正在停止……", "\nstopping …"));
    site.lock().await.end_all().await;
    ended
}

async fn one_ended(site: &Mutex<Site>) -> site::Program {
    loop {
        if let Some(program) = site.lock().await.ended() {
            return program;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn print_addresses(site: &Site, hands: SocketAddr, language: Language) -> Result<(), DemoError> {
    let (kiosk, office) = (site.plan().kiosk, site.plan().office);
    let password = site.office_secret("password")?;
    let token = site.office_secret("token")?;
    let text = match language {
        Language::En => format!(
            "
  The cabinet's screen    http://{kiosk}
  Your hands              http://{hands}   doors, codes to scan, text messages
  The office              http://{office}   password  {password}
  The office's API        http://{office}/api/v1   token  {token}

  Try this first, with the screen and your hands side by side:
  1. Hand in: hold the drop-off pass before the scanner, follow the screen, put the envelope in, close the door.
  2. Be the courier: scan the badge, PIN {PIN}, empty the cabinet, place the permit.
  3. Collect: the text message with the pickup code arrives among your things; scan it or type it.
  Then watch all of it at the office. Ctrl-C ends everything; logs are in {logs}.
",
            logs = site.path("logs").display()
        ),
        Language::Zh => format!(
            "
  箱柜屏幕      http://{kiosk}
  您的双手      http://{hands}   柜门、待扫的码、短信
  管理平台      http://{office}   密码  {password}
  平台接口      http://{office}/api/v1   令牌  {token}

  先试试这些(屏幕和双手两个页面并排打开):
  1. 交件:把交件凭证放到扫码窗前,按屏幕提示放入信包,关上柜门。
  2. 当一回揽收员:扫工牌,密码 {PIN},取走信包,存入证照。
  3. 取件:带取件码的短信会出现在您的物品里,扫码或输入数字。
  随后在管理平台上查看全过程。按 Ctrl-C 结束;日志在 {logs}。
",
            logs = site.path("logs").display()
        ),
    };
    tell(&text);
    Ok(())
}

/// Says it to whoever still listens.
fn tell(text: &str) {
    use std::io::Write;
    let _nobody_listens = writeln!(std::io::stdout(), "{text}");
}

/// Each program's lines into a file of its own.
fn to_files(directory: PathBuf) -> Sink {
    use std::io::Write;
    Arc::new(move |name, line| {
        let path = directory.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        // A log that cannot be written stops nobody from trying the cabinet.
        let _unwritten = file.and_then(|mut file| writeln!(file, "{line}"));
    })
}
