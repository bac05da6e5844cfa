//! Broker and hub killed (-9) at one moment, again and again while events flow, and the broker forgets everything each time.

use rehearsal::site::{Program, Site};

use crate::scene::{
    approval, drop_off, each_once_and_in_order, force_a_door, histories, journal, office_has_all_of, running,
    stored,
};
use crate::waiting::until;

const DOORS: std::ops::Range<u8> = 3..11;

async fn all_doors(site: &mut Site, deed: &str) {
    for door in DOORS {
        site.hardware(&format!("hand locks 1 {door} {deed}"))
            .await
            .unwrap();
    }
}

async fn kill_both_and_wipe(site: &mut Site) {
    site.kill_together(&[Program::Broker, Program::Office])
        .await
        .unwrap();
    // Written when mosquitto ends in good order, or every half an hour.
    let _never_written = std::fs::remove_file(site.path("mosquitto.db"));
}

async fn start_both(site: &mut Site) {
    site.start(Program::Broker).await.unwrap();
    site.start(Program::Office).await.unwrap();
}

/// How many doors the cabinet has seen `forced` or `closed`.
fn seen(site: &Site, how: &str) -> usize {
    let kind = format!("locker.door-{how}\"");
    site.lockerd(&["journal", "export"])
        .unwrap()
        .matches(&kind)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_there_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut site = running(directory.path()).await;
    let approval = approval(&site);
    for round in 0..4 {
        let (written, has) = (journal(&site).len(), stored(&site)[&0].len());
        let (forced, closed) = (seen(&site, "forced"), seen(&site, "closed"));
        all_doors(&mut site, "force").await;
        if round % 2 == 0 {
            until("events are written", || journal(&site).len() > written + round).await;
        } else {
            until("events are stored", || stored(&site)[&0].len() > has + round).await;
        }
        kill_both_and_wipe(&mut site).await;
        until("the doors are seen open", || {
            seen(&site, "forced") == forced + DOORS.len()
        })
        .await;
        all_doors(&mut site, "close").await;
        start_both(&mut site).await;
        until("the doors are seen closed", || {
            seen(&site, "closed") == closed + DOORS.len()
        })
        .await;
    }
    let pass = approval.register("A-1001", "P-2048").await.unwrap();
    office_has_all_of(&site, &site).await;
    kill_both_and_wipe(&mut site).await;
    drop_off(&mut site, &pass).await;
    start_both(&mut site).await;
    force_a_door(&mut site).await;
    office_has_all_of(&site, &site).await;
    assert_eq!(stored(&site)[&0], journal(&site));
    assert_eq!(histories(&site).await, (1, false));
    each_once_and_in_order(&site);
    site.end_all().await;
}
