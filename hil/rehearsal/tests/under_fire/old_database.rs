//! The hub's database restored from a backup while the cabinet runs: the cabinet sends again what the hub has forgotten.

use rehearsal::site::{Program, Site};

use crate::scene::{
    approval, copy, drop_off, each_once_and_in_order, force_a_door, histories, journal, office_has_all_of,
    running, stored,
};

fn restore(site: &Site) {
    for name in ["office.db", "office.db-wal", "office.db-shm"] {
        let _not_there = std::fs::remove_file(site.path("office").join(name));
    }
    copy(&site.path("backup.db"), &site.path("office/office.db"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_position_moves_back_and_nothing_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let mut site = running(directory.path()).await;
    let approval = approval(&site);
    let passes = [
        approval.register("A-1001", "P-2048").await.unwrap(),
        approval.register("A-1002", "P-2048").await.unwrap(),
    ];
    site.end(Program::Office).await.unwrap();
    copy(&site.path("office/office.db"), &site.path("backup.db"));
    let saved = stored(&site)[&0].len();
    site.start(Program::Office).await.unwrap();
    drop_off(&mut site, &passes[0]).await;
    force_a_door(&mut site).await;
    office_has_all_of(&site, &site).await;

    for _ in 0..2 {
        site.kill(Program::Office).await.unwrap();
        restore(&site);
        assert_eq!(stored(&site)[&0].len(), saved, "the rest is forgotten");
        site.start(Program::Office).await.unwrap();
        office_has_all_of(&site, &site).await;
    }
    drop_off(&mut site, &passes[1]).await;
    office_has_all_of(&site, &site).await;
    assert_eq!(stored(&site)[&0], journal(&site));
    assert_eq!(histories(&site).await, (1, false));
    each_once_and_in_order(&site);
    site.end_all().await;
}
