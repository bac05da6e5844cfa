//! Joins the sync, the broker and the engine: the link's one task.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use office_protocol::document::{DocumentName, Reported};
use office_protocol::{
    CabinetState, KeySet, Purpose, Reply, Seq, Signed, SigningKey, Topic, TopicRoot, VerifyingKey,
};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::inbox::Inbox;
use super::journal_view::JournalView;
use super::mqtt::{Broker, BrokerError, Connection, Happened, Manner, Stuck};
use super::renewal::{Offer, Offers, Renewal};
use super::sync::Sync;
use super::words::{Identity, Input, Limits, Output, View};
use crate::cabinet::vocabulary::{self, Monotonic};

/// What the link is told at the start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where.
    pub broker: Broker,
    /// Under which topics.
    pub root: TopicRoot,
    /// Who speaks.
    pub identity: Identity,
    /// Bounds.
    pub limits: Limits,
}

/// What joins the link with the rest of the daemon. When a sender is gone, the link ends.
pub struct Channels {
    /// What the next connection may be made with, newest first; what the link began with is kept until another has worked.
    pub offers: Offers,
    /// Told of the key that the office has answered to, when there was a choice.
    pub renewed: Box<dyn FnMut(&VerifyingKey) + Send>,
    /// To the engine: link, position, forgeries, commands, documents.
    pub inputs: mpsc::Sender<vocabulary::Input>,
    /// The last durable event, after each append.
    pub tip: watch::Receiver<Seq>,
    /// The office's keys in force.
    pub keys: watch::Receiver<KeySet>,
    /// What stands in the cabinet; published retained, at most once a second.
    pub state: watch::Receiver<Option<CabinetState>>,
    /// What is in force of each document; published retained.
    pub reported: watch::Receiver<BTreeMap<DocumentName, Reported>>,
    /// Answers to commands. While offline the last 64 are kept.
    pub replies: mpsc::Receiver<Reply>,
    /// How the link stands, for screens and metrics.
    pub view: watch::Sender<View>,
    /// True when the daemon is about to stop.
    pub stop: watch::Receiver<bool>,
}

const REPLIES_KEPT_MAX: usize = 64;
const REPLY_EXPIRY_S: u32 = 300;
const STATE_GAP_MS: u64 = 1_000;
const GOODBYE_WAIT: Duration = Duration::from_secs(2);
const BACK_OFF_MIN_MS: u64 = 250;
const BACK_OFF_MAX_MS: u64 = 30_000;
/// Between two looks whether there is a newer key.
const LOOK_EVERY_MS: u64 = 5_000;
/// After the office has not answered to a key, it is tried again so late.
const REFUSED_KEY_WAIT_MS: u64 = 600_000;

/// Runs until told to stop; then says `draining` and goodbye. `clock` is the daemon's monotonic clock.
///
/// # Errors
/// [`BrokerError`] when the settings allow no connection; later troubles are met with new attempts.
pub async fn run<J: JournalView>(
    settings: Settings,
    key: &SigningKey,
    journal: J,
    clock: impl Fn() -> Monotonic,
    mut channels: Channels,
) -> Result<(), BrokerError> {
    settings.broker.check()?;
    let offers = std::mem::replace(&mut channels.offers, Box::new(Vec::new));
    let renewed = std::mem::replace(&mut channels.renewed, Box::new(|_| {}));
    let own_key = || SigningKey::from_secret(&key.secret());
    let first = Offer {
        security: settings.broker.security.clone(),
        key: Arc::new(own_key()),
    };
    let look_at = clock().plus_millis(LOOK_EVERY_MS);
    let sync = Sync::new(
        settings.identity.clone(),
        settings.limits,
        own_key(),
        channels.keys.borrow_and_update().clone(),
        *channels.tip.borrow_and_update(),
    );
    let mut link = Link {
        settings,
        key: Arc::clone(&first.key),
        clock,
        journal,
        sync,
        inbox: Inbox::default(),
        renewal: Renewal::new(first, offers),
        renewed,
        look_at,
        trial_ends: None,
        connection: None,
        retry_at: Monotonic::default(),
        attempts: 0,
        replies: VecDeque::new(),
        state_news: false,
        state_at: Monotonic::default(),
        told: BTreeMap::new(),
    };
    while link.turn(&mut channels).await {
        channels.view.send_replace(link.sync.view());
    }
    link.goodbye().await;
    Ok(())
}

struct Link<J, C> {
    settings: Settings,
    key: Arc<SigningKey>,
    clock: C,
    journal: J,
    sync: Sync,
    inbox: Inbox,
    renewal: Renewal,
    renewed: Box<dyn FnMut(&VerifyingKey) + Send>,
    /// When it is looked whether there is a newer key.
    look_at: Monotonic,
    /// How long the office may take to answer to a new key on this connection.
    trial_ends: Option<Monotonic>,
    connection: Option<Connection>,
    retry_at: Monotonic,
    attempts: u32,
    replies: VecDeque<Reply>,
    /// The state has changed since it was published on this connection.
    state_news: bool,
    /// When it may be published again.
    state_at: Monotonic,
    /// The documents' reports as published on this connection.
    told: BTreeMap<DocumentName, Reported>,
}

impl<J: JournalView, C: Fn() -> Monotonic> Link<J, C> {
    /// Waits for one thing and does it; false when the daemon stops.
    async fn turn(&mut self, channels: &mut Channels) -> bool {
        let now = (self.clock)();
        let deadline = self.sync.next_deadline().map(|at| now.until(at));
        let online = self.sync.view().online;
        let inputs = channels.inputs.clone();
        tokio::select! {
            () = stopping(&mut channels.stop) => return false,
            permit = inputs.reserve(), if !self.inbox.is_empty() => match permit {
                Ok(permit) => if let Some(input) = self.inbox.pop() { permit.send(input) },
                Err(_) => return false,
            },
            happened = next(&mut self.connection) => self.happened(happened, channels),
            () = sleep(now.until(self.retry_at)), if self.connection.is_none() => self.connect(),
            () = wait(deadline) => self.handle(Input::DeadlineReached),
            () = wait(self.trial_ends.map(|end| now.until(end))) => self.key_is_refused(),
            () = sleep(now.until(self.look_at)), if online && self.trial_ends.is_none() => self.look_for_a_newer_key(),
            changed = channels.tip.changed() => {
                let tip = *channels.tip.borrow_and_update();
                self.handle(Input::TipAdvanced(tip));
                return changed.is_ok();
            }
            changed = channels.keys.changed() => {
                let keys = channels.keys.borrow_and_update().clone();
                self.handle(Input::KeysChanged(keys));
                return changed.is_ok();
            }
            changed = channels.state.changed() => {
                self.state_news = true;
                return changed.is_ok();
            }
            () = sleep(now.until(self.state_at)), if online && self.state_news => self.publish_state(channels),
            changed = channels.reported.changed() => {
                self.publish_reported(channels);
                return changed.is_ok();
            }
            reply = channels.replies.recv() => match reply {
                Some(reply) => self.reply(reply),
                None => return false,
            },
        }
        true
    }

    fn handle(&mut self, input: Input) {
        let now = (self.clock)();
        for output in self.sync.handle(now, input, &mut self.journal) {
            self.carry_out(output);
        }
        if self.trial_ends.is_some() && self.sync.view().following {
            self.key_is_taken();
        }
    }

    fn key_is_taken(&mut self) {
        self.trial_ends = None;
        let key = self.renewal.worked().key.verifying_key();
        tracing::info!(key = %key.id(), "the office has answered to this key");
        (self.renewed)(&key);
    }

    /// The office does not answer. If it is the key's fault, another one is known to it.
    fn key_is_refused(&mut self) {
        self.look_at = (self.clock)().plus_millis(REFUSED_KEY_WAIT_MS);
        self.renewal.failed();
        self.give_up("the office does not answer to this key");
    }

    fn look_for_a_newer_key(&mut self) {
        self.look_at = (self.clock)().plus_millis(LOOK_EVERY_MS);
        if self.renewal.has_newer_key() {
            self.give_up("there is a newer key");
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::PublishStatus(signed) => {
                let retained = Manner {
                    retain: true,
                    ..Manner::default()
                };
                self.publish(Topic::Status, signed, retained);
            }
            Output::PublishEvents { message, signed } => {
                let tracked = Manner {
                    message: Some(message),
                    ..Manner::default()
                };
                self.publish(Topic::Event, signed, tracked);
            }
            Output::Acknowledged { tip } => self.inbox.acknowledged(tip),
            Output::ForgerySeen => self.inbox.forgery(),
            Output::Reconnect => self.give_up("the broker acknowledges nothing"),
        }
    }

    fn topic(&self, topic: Topic) -> String {
        topic.of(&self.settings.root, &self.settings.identity.cabinet)
    }

    fn publish(&mut self, topic: Topic, signed: Signed, manner: Manner) {
        let name = self.topic(topic);
        let Some(connection) = &mut self.connection else {
            return;
        };
        if let Err(Stuck) = connection.publish(name, signed, manner) {
            self.give_up("the broker takes nothing any more");
        }
    }

    fn publish_json(&mut self, topic: Topic, purpose: Purpose, value: &impl Serialize, manner: Manner) {
        match serde_json::to_vec(value) {
            Ok(bytes) => {
                let signed = Signed::new(&self.key, purpose, &self.settings.identity.cabinet, bytes);
                self.publish(topic, signed, manner);
            }
            Err(error) => tracing::error!(%error, ?topic, "could not be written as JSON"),
        }
    }

    fn connect(&mut self) {
        let offer = self.renewal.next();
        self.settings.broker.security = offer.security.clone();
        self.key = Arc::clone(&offer.key);
        self.sync.sign_with(SigningKey::from_secret(&self.key.secret()));
        let will = (self.topic(Topic::Status), self.sync.begin_connection());
        let cabinet = &self.settings.identity.cabinet;
        let filters = Topic::cabinet_filters(&self.settings.root, cabinet).to_vec();
        // Who knows a client's name can end its connection: nobody but the office hears of the start. Within one start the name stays, so
        // that the broker ends a connection that is half dead.
        let name = format!("{cabinet}-{}", self.settings.identity.start);
        self.connection = Some(Connection::begin(
            &self.settings.broker,
            &name,
            &self.key,
            filters,
            will,
        ));
    }

    /// Ends the connection, if there is one, and plans the next: a wait that doubles, spread by this start's random number.
    fn give_up(&mut self, reason: &str) {
        self.connection = None;
        self.trial_ends = None;
        let wait = (BACK_OFF_MIN_MS << self.attempts.min(10)).min(BACK_OFF_MAX_MS);
        let spread = self
            .settings
            .identity
            .start
            .0
            .rotate_left(self.attempts.wrapping_mul(7))
            % (wait / 2 + 1);
        self.attempts = self.attempts.saturating_add(1);
        let wait_ms = wait / 2 + spread;
        self.retry_at = (self.clock)().plus_millis(wait_ms);
        if self.sync.view().online {
            tracing::warn!(reason, "the link to the office is down");
            self.inbox.link(false);
        } else {
            tracing::info!(reason, wait_ms, "the broker could not be reached");
        }
        self.handle(Input::LinkDown);
    }

    fn happened(&mut self, happened: Happened, channels: &mut Channels) {
        match happened {
            Happened::Up { packet_bytes } => self.up(packet_bytes, channels),
            Happened::Received { topic, signed } => self.received(&topic, signed),
            Happened::Answered { message, taken: true } => {
                self.handle(Input::MessageAcknowledged { message })
            }
            Happened::Answered {
                message,
                taken: false,
            } => self.handle(Input::MessageLost { message }),
            Happened::Down { reason } => {
                if !self.sync.view().online {
                    self.renewal.failed();
                }
                self.give_up(&reason);
            }
        }
    }

    fn up(&mut self, packet_bytes: usize, channels: &mut Channels) {
        tracing::info!("the link to the office is up");
        self.renewal.connected();
        self.trial_ends = self.renewal.is_on_trial().then(|| {
            let patience_ms = 3 * self.settings.limits.answer_wait_ms;
            (self.clock)().plus_millis(patience_ms)
        });
        self.attempts = 0;
        self.inbox.link(true);
        self.handle(Input::LinkUp { packet_bytes });
        self.state_news = true;
        self.told.clear();
        self.publish_reported(channels);
        for reply in std::mem::take(&mut self.replies) {
            self.reply(reply);
        }
    }

    fn received(&mut self, topic: &str, signed: Option<Signed>) {
        let Some((cabinet, topic)) = Topic::parse(&self.settings.root, topic) else {
            return;
        };
        if cabinet != self.settings.identity.cabinet {
            return;
        }
        let Some(signed) = signed else {
            tracing::warn!(?topic, "a message without a signature was dropped");
            return self.inbox.forgery();
        };
        match topic {
            Topic::Position => self.handle(Input::PositionReceived(signed)),
            Topic::Command => self.inbox.command(signed),
            Topic::Desired(name) => self.inbox.document(name, signed),
            Topic::Status | Topic::State | Topic::Event | Topic::Reply | Topic::Reported(_) => {}
        }
    }

    fn publish_state(&mut self, channels: &mut Channels) {
        self.state_news = false;
        self.state_at = (self.clock)().plus_millis(STATE_GAP_MS);
        let state = channels.state.borrow_and_update().clone();
        if let Some(state) = state {
            let retained = Manner {
                retain: true,
                ..Manner::default()
            };
            self.publish_json(Topic::State, Purpose::State, &state, retained);
        }
    }

    fn publish_reported(&mut self, channels: &mut Channels) {
        let all = channels.reported.borrow_and_update().clone();
        if !self.sync.view().online {
            return;
        }
        for (name, reported) in all {
            if self.told.get(&name) != Some(&reported) {
                let retained = Manner {
                    retain: true,
                    ..Manner::default()
                };
                self.publish_json(Topic::Reported(name), Purpose::Reported, &reported, retained);
                self.told.insert(name, reported);
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        if self.sync.view().online {
            let manner = Manner {
                expiry_s: Some(REPLY_EXPIRY_S),
                ..Manner::default()
            };
            self.publish_json(Topic::Reply, Purpose::Reply, &reply, manner);
        } else {
            if self.replies.len() == REPLIES_KEPT_MAX {
                self.replies.pop_front();
            }
            self.replies.push_back(reply);
        }
    }

    async fn goodbye(&mut self) {
        self.handle(Input::Draining);
        let Some(connection) = &mut self.connection else {
            return;
        };
        if connection.disconnect(GOODBYE_WAIT).is_err() {
            return;
        }
        let over = async { while !matches!(connection.next().await, Happened::Down { .. }) {} };
        if timeout(GOODBYE_WAIT, over).await.is_err() {
            tracing::info!("the broker did not take the goodbye in time");
        }
    }
}

async fn stopping(stop: &mut watch::Receiver<bool>) {
    // An error says that the daemon is gone, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn next(connection: &mut Option<Connection>) -> Happened {
    match connection {
        Some(connection) => connection.next().await,
        None => pending().await,
    }
}

async fn wait(until: Option<Duration>) {
    match until {
        Some(wait) => sleep(wait).await,
        None => pending().await,
    }
}
