//! What one cabinet sends stops nobody: a batch that the database does not take is judged in parts, and only what is at fault is refused.

use std::collections::BTreeMap;

use office_protocol::CabinetId;

use super::{Checked, Hub, Outgoing};
use crate::database::DatabaseError;
use crate::intake::{Input, Rejection, Said};

impl Hub {
    /// Judges a batch, commits it, and says what may be sent then. One transaction, unless there is something in it that the database
    /// does not take: then cabinet by cabinet, and that cabinet's messages one by one. What is refused counts as malformed.
    ///
    /// # Errors
    /// [`DatabaseError`]; what was not committed comes again.
    pub async fn judge(&self, batch: Vec<Checked>) -> Result<Vec<Outgoing>, DatabaseError> {
        let together = self.judge_together(batch.clone()).await;
        if !is_refused(&together) {
            return together;
        }
        let mut messages: BTreeMap<CabinetId, Vec<Checked>> = BTreeMap::new();
        for message in batch {
            messages.entry(message.cabinet.clone()).or_default().push(message);
        }
        let mut outgoing = Vec::new();
        for messages in messages.into_values() {
            let together = self.judge_together(messages.clone()).await;
            if !is_refused(&together) {
                outgoing.extend(together?);
                continue;
            }
            for message in messages {
                outgoing.extend(self.judge_alone(message).await?);
            }
        }
        Ok(outgoing)
    }

    async fn judge_alone(&self, message: Checked) -> Result<Vec<Outgoing>, DatabaseError> {
        match self.judge_together(vec![message.clone()]).await {
            Err(error) if error.is_of_data() => {
                tracing::error!(cabinet = %message.cabinet, %error, "a message that the database does not take");
                let malformed = Checked {
                    said: Said::Judged(Input::Rejected(Rejection::NoChain)),
                    renewed: false,
                    ..message
                };
                self.judge_together(vec![malformed]).await
            }
            done => done,
        }
    }
}

fn is_refused(done: &Result<Vec<Outgoing>, DatabaseError>) -> bool {
    done.as_ref().is_err_and(DatabaseError::is_of_data)
}
