//! What an operator may order on the page: taking a cabinet's key back, and erasing what is personal. Typing the id is the confirmation.

use maud::{Markup, html};

use super::{Done, Language};

pub(super) fn forms(language: Language) -> Markup {
    let t = |zh, en| language.pick(zh, en);
    html! {
        section.orders {
            h2 { (t("管理", "Administration")) }
            form method="post" action="/revoke" {
                input type="hidden" name="language" value=(language.code());
                h3 { (t("注销箱柜", "Revoke a cabinet")) }
                p { (t("此后它签发的任何消息都不再有效，直到重新登记。已存的流水不受影响。",
                    "Nothing that it signs counts any more, until it is enrolled anew. What is stored stays.")) }
                label { (t("箱柜编号", "Cabinet")) input name="cabinet" required maxlength="16" pattern="[A-Z0-9\\-]+" autocomplete="off"; }
                button.danger { (t("注销", "Revoke")) }
            }
            form method="post" action="/erase" {
                input type="hidden" name="language" value=(language.code());
                h3 { (t("删除个人信息", "Erase personal data")) }
                p { (t("删除加密保存的手机号和取件码；流水保留，仍可核验。无法恢复。",
                    "Erases the sealed phone numbers and pickup codes; the events stay and still verify. It cannot be undone.")) }
                label { (t("属于", "Of")) select name="of" {
                    option value="person" { (t("人员", "a person")) }
                    option value="application" { (t("办件", "an application")) }
                    option value="consignment" { (t("信包", "a consignment")) }
                } }
                label { (t("编号", "Its id")) input name="id" required maxlength="64" autocomplete="off"; }
                button.danger { (t("删除", "Erase")) }
            }
        }
    }
}

pub(super) fn outcome(language: Language, done: Done) -> Markup {
    let t = |zh, en| language.pick(zh, en);
    match done {
        Done::Revoked => html! { (t("箱柜已注销。", "The cabinet is revoked.")) },
        Done::NoCabinet => html! { (t("没有这个箱柜。", "There is no such cabinet.")) },
        Done::NoId => html! { (t("编号不对。", "This is no id.")) },
        Done::Erased(count) => {
            html! { (t("已删除加密信息 ", "")) (count) (t(" 份。", " sealed parts erased.")) }
        }
    }
}
