//! The settings files of a site, as an operator would write them.

use std::fmt::Write;

use super::{Brokerage, COMPARTMENTS, Plan};

/// What deliveries to the approval system are signed with. Both ends are on this machine, for as long as the rehearsal lasts.
pub const WEBHOOK_SECRET: &str = "signs-deliveries-of-the-rehearsal";

/// Twelve small, eight medium, four large; the middle rows within everybody's reach.
pub(super) fn cabinet(plan: &Plan) -> String {
    let here = |name: &str| plan.directory.join(name).display().to_string();
    let tls = plan.brokerage == Brokerage::Mosquitto;
    let host = if tls { "localhost" } else { "127.0.0.1" };
    let mut text = format!(
        r#"[cabinet]
secrets = {secrets:?}

[[lock-port]]
name = "locks"
path = {locks:?}
family = "8a80-shuoming"

[[board]]
id = 1
port = "locks"
address = 1
channels = {COMPARTMENTS}

[[scanner]]
name = "scanner"
path = {scanner:?}

[journal]
directory = {data:?}

[kiosk]
address = "{kiosk}"

[office]
host = "{host}"
port = {port}
tls = {tls}

[clock]
trust = "always"
"#,
        secrets = here("secrets"),
        locks = here("ports/locks"),
        scanner = here("ports/scanner"),
        data = here("cabinet"),
        kiosk = plan.kiosk,
        port = plan.broker.port(),
    );
    for id in 1..=COMPARTMENTS {
        let size = match id {
            1..=12 => "small",
            13..=20 => "medium",
            _ => "large",
        };
        let reachable = matches!(id, 3..=6 | 9..=12 | 14..=16 | 18 | 21 | 22);
        let _infallible = write!(
            text,
            "\n[[compartment]]\nid = {id}\nboard = 1\nchannel = {id}\nsize = \"{size}\"\nreachable = {reachable}\n"
        );
    }
    text
}

pub(super) fn office(plan: &Plan) -> String {
    let mut text = format!(
        "directory = \"office\"\nlisten = \"{}\"\n\n[broker]\nhost = \"{}\"\nport = {}\n",
        plan.office,
        match plan.brokerage {
            Brokerage::Own => "127.0.0.1",
            Brokerage::Mosquitto => "localhost",
        },
        plan.broker.port()
    );
    if plan.brokerage == Brokerage::Mosquitto {
        text += "\n[broker.tls]\nca = \"certificates/ca.pem\"\ncertificate = \"certificates/office.pem\"\nkey = \"certificates/office.key\"\n";
    }
    let _infallible = write!(
        text,
        "\n[[webhooks]]\nname = \"approval\"\nurl = \"http://{}/hand-overs\"\nsecret_file = \"approval.secret\"\npersonal = true\n",
        plan.approval
    );
    text
}

/// The rules of `config/`.
pub(super) const BROKER_RULES: &str = include_str!("../../../../config/mosquitto.acl");

/// As the example of `config/` has it: certificates, and the rules of who may say and hear what.
pub(super) fn mosquitto(plan: &Plan) -> String {
    let file = |name: &str| {
        plan.directory
            .join("certificates")
            .join(name)
            .display()
            .to_string()
    };
    format!(
        "user root\npersistence true\npersistence_location {}/\nlistener {} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\n\
         require_certificate true\nuse_identity_as_username true\nallow_anonymous false\nacl_file {}\n",
        plan.directory.display(),
        plan.broker.port(),
        file("ca.pem"),
        file("server.pem"),
        file("server.key"),
        plan.directory.join("mosquitto.acl").display(),
    )
}
