//! A cabinet whose disk was restored from an old copy: the office has both histories and says so, and the cabinet serves on.

use crate::scene::{
    approval, copy, drop_off, each_once_and_in_order, force_a_door, histories, journal, office_has_all_of,
    restart_on, running, stored,
};

#[tokio::test(flavor = "multi_thread")]
async fn both_histories_are_kept_and_the_cabinet_serves_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut site = running(directory.path()).await;
    let old = site.path("old");
    copy(&site.path("cabinet"), &old);
    let approval = approval(&site);
    let pass = approval.register("A-1001", "P-2048").await.unwrap();
    drop_off(&mut site, &pass).await;
    office_has_all_of(&site, &site).await;
    assert_eq!(histories(&site).await, (1, false));
    let forgotten = journal(&site);

    restart_on(&mut site, &old).await;
    office_has_all_of(&site, &site).await;
    assert_eq!(histories(&site).await, (2, true));
    let pass = approval.register("A-1002", "P-2048").await.unwrap();
    drop_off(&mut site, &pass).await;
    force_a_door(&mut site).await;
    office_has_all_of(&site, &site).await;

    let (kept, new) = (stored(&site), journal(&site));
    assert_eq!(kept[&0], forgotten, "nothing of it is gone");
    let parted = forgotten
        .iter()
        .zip(&new)
        .take_while(|(one, other)| one == other)
        .count();
    assert_eq!(kept[&1], new[parted..]);
    assert_eq!(histories(&site).await, (2, true));
    each_once_and_in_order(&site);
    site.end_all().await;
}
