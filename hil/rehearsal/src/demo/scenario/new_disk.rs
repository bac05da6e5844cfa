//! The scenario's last trouble: the cabinet's disk is gone, with journal, documents and identity, and a permit is inside.

use office_protocol::PickupCode;

use super::{Failed, Story};
use crate::site::Program;

impl Story {
    /// Everything comes back from the office; the code of the lost identity opens nothing, the one that was issued anew does.
    pub(super) async fn new_disk(&mut self) -> Result<(), Failed> {
        const PERMIT: &str = "PERMIT-6";
        let old = self.place(PERMIT).await?;
        let before = self.caught_up().await?;
        self.site.kill(Program::Cabinet).await?;
        self.hide_keys()?;
        self.site.replace_disk()?;
        let history = self.exported().await?;
        let path = self.site.path("history.jsonl").display().to_string();
        std::fs::write(&path, history)?;
        self.site.lockerd(&["restore", "--from-office", &path])?;
        self.site.start(Program::Cabinet).await?;
        self.finger.see(&["home"]).await?;
        let new: PickupCode = self.told_code("code-reissued", PERMIT).await?;
        self.step(
            &format!("箱柜换新硬盘,密钥也丢失:按平台的 {before} 条记录恢复,取件码已重发"),
            &format!(
                "the cabinet's disk and keys are lost: restored from the office's {before} events, code issued again"
            ),
        );
        self.refused_again(&old).await?;
        let door = self.collect_by_qr(&new).await?;
        let all = self.caught_up().await?;
        self.step(
            &format!("旧取件码打不开,新取件码取件成功({door} 号格口);平台已有 {all}/{all} 条"),
            &format!("the old code opens nothing, the new one collects (door {door}); the office has {all} of {all} events"),
        );
        Ok(())
    }

    /// What the office gives out once it has heard that the cabinet is gone.
    async fn exported(&mut self) -> Result<String, Failed> {
        let cabinet = self.site.cabinet().clone();
        self.until("the office notices that the cabinet is gone", async |story| {
            let presence = story.approval.cabinet(&cabinet).await?["presence"].take();
            Ok((presence != "online").then_some(()))
        })
        .await?;
        Ok(self
            .site
            .office(&["export-cabinet", "--cabinet", cabinet.as_str()])?)
    }
}
