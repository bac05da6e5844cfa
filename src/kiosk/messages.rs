//! Every sentence of the screens, in both languages. `{}` stands for the one thing that is filled in.

use crate::cabinet::screen::Language;

macro_rules! messages {
    ($($name:ident $zh:literal $en:literal)*) => {
        /// One sentence or label.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)] // each is documented by its words
        pub enum Message { $($name),* }

        impl Message {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// In one language.
            pub const fn text(self, language: Language) -> &'static str {
                match (self, language) { $(
                    (Self::$name, Language::Zh) => $zh,
                    (Self::$name, Language::En) => $en,
                )* }
            }

            /// In one language, with the thing filled in.
            pub fn with(self, language: Language, thing: impl std::fmt::Display) -> String {
                self.text(language).replace("{}", &thing.to_string())
            }
        }
    };
}

messages! {
    OtherLanguage "English" "中文"
    LargeText "大字" "Large"
    NormalText "小字" "Normal"
    Contrast "对比" "Contrast"
    HelpLabel "求助" "Help"
    SecondsLeft "秒" "s"
    Back "返回" "Back"
    Finish "完成" "Finish"
    Continue "继续" "Continue"
    Confirm "确定" "OK"
    Clear "清空" "Clear"
    Erase "删除" "Erase"
    Yes "是" "Yes"
    No "否" "No"
    Door "{} 号柜门" "Door {}"
    Reference "编号 {}" "Reference {}"
    Cabinet "柜机 {}" "Cabinet {}"
    Call "电话 {}" "Call {}"
    CallHall "请到政务大厅咨询" "Please ask at the service hall"

    Offline "断网：仍可交件取件" "Offline: all still works here"
    ScannerLost "扫码器故障：请输数字" "Scanner out of order: type digits"
    DoorsUnreachable "部分柜门暂不可用" "Some doors are out of order"
    FullNotice "柜已满：仍可取件" "Full: collecting still works"
    DropOffsRefused "暂停交件：仍可取件" "No hand-ins: collecting still works"
    ClockUntrusted "时间待校准" "The time may be wrong"

    HomeTitle "请出示二维码，或点选" "Show your QR code, or touch"
    Collect "取件" "Collect"
    CollectHint "输入数字取件、撤回" "Type digits: collect or take back"
    HandIn "交件" "Hand in"
    HandInHint "没有二维码也可以" "Also without a QR code"
    HandInClosed "暂不能交件" "No hand-ins now"
    Nearby "可去：" "Go to:"
    StaffHint "工作人员请刷工作证" "Staff: scan your badge"

    EnterDigits "请输入 {} 位取件码" "Type the {} digits"
    TwelveWhy "为了安全，再加 4 位备用码" "For safety, add the 4 spare digits"
    WrongDigits "数字不对，请核对后再输" "Wrong digits. Check and try again"
    WaitTry "请等待 {} 秒再试，扫码不受限" "Wait {} s. A QR code works now"
    SecondPhone "请输入手机号后 4 位" "Type the last 4 phone digits"
    SecondReceipt "请输入回执上的 4 位数字" "Type the 4 digits of the receipt"
    SecondPass "请再扫交件凭证码" "Now scan your drop-off pass"
    WrongPass "不是这次交件的凭证码" "Not the pass of this hand-in"
    EnterPin "请输入口令" "Type your PIN"
    WrongPin "口令不对" "Wrong PIN"
    WaitPin "请等待 {} 秒再试" "Wait {} s and try again"

    ScanTitle "这个码现在不能用" "This code does not work now"
    ScanUnreadable "没有读清，请擦净、调亮后再扫" "Not readable. Wipe it, brighten it, and scan again"
    ScanElsewhere "这个码不属于本柜，请看短信里的地址" "Not for this cabinet. See the place in your message"
    ScanElsewhereAt "请到柜机 {} 使用" "Please go to cabinet {}"
    ScanUnknown "取件码无效或已更换，请用最新短信" "Not valid here. Use your newest message"
    ScanCollected "这件已取走。如非本人所取，请来电" "Already collected. If not by you, please call"
    PassForged "凭证不是政务大厅签发的" "Not issued by the office"
    PassExpired "凭证已过期，请重新申请" "Expired. Please ask for a new one"
    PassTooEarly "凭证还没到使用时间" "Not valid yet. Please come later"
    PassUsed "凭证已经用过，请申请新的" "Used already. Please ask for a new one"
    PassRevoked "凭证已被撤销，请来电询问" "Withdrawn. Please call us"
    PassSuperseded "已有新的凭证，请用最新的" "Replaced. Use the newest one"
    ScanNotInside "文件不在本柜，请来电询问" "The documents are not here. Please call"
    ScanUnknownStaff "工作证未登记，请联系管理员" "Unknown badge. Call the office"
    ScanNoRoom "暂时没有空格口，请稍后或换一柜" "No room now. Come later or go to another cabinet"
    ScanBusy "该格口正在使用，请稍候再扫" "In use just now. Scan again in a moment"

    ChooseItem "要办什么事？" "What is it for?"
    Person "个人" "Person"
    Business "企业" "Business"
    NothingHere "目录暂缺，请扫交件凭证码" "No list now. Please scan a drop-off pass"
    EnterPhone "请输入手机号" "Type your phone number"
    PhoneAgain "请再输一遍手机号" "Type the number once more"
    PhoneWhy "只用于通知您" "Only to notify you"
    PhoneMismatch "两次不一样，请重新输入" "The two differ. Please type again"
    SkipPhone "不留手机" "No phone"
    ChecklistTitle "请核对材料" "Check your documents"
    PutAllIn "材料齐全后装入信封并封好" "Put everything into one envelope and seal it"
    DocumentsUnknown "请按受理通知准备材料" "Prepare what your notice says"
    Days "{} 个工作日" "{} working days"
    AtOnce "当日办结" "Same day"
    Free "免费" "Free"
    Yuan "{} 元" "{} yuan"
    GuideQr "扫码看办事指南" "Scan for the guide"
    Small "小" "Small"
    Medium "中" "Medium"
    Large "大" "Large"
    DoorSize "格口大小" "Door size"
    LowDoor "要低位柜门" "Low door"
    SlipTitle "请拍照保存：撤回要用" "Photograph this: to take it back"
    NotYetReceived "还没有收件，请先放入文件" "Not yet received: put it in first"
    AlsoPhone "撤回时还要手机号后 4 位" "Also asked: last 4 phone digits"
    AlsoPass "撤回时还要交件凭证码" "Also asked: your drop-off pass"
    AlsoReceipt "撤回时还要回执上 4 位数" "Also asked: 4 receipt digits"
    OpenDoor "开门" "Open door"
    QrLabel "二维码" "QR code"
    IsItInside "文件放进去了吗？" "Is your envelope inside?"
    InsideYes "放好了" "Yes, inside"
    InsideNo "没放，取消" "No, cancel"
    Reopen "重新开门" "Open again"
    ReceiptTitle "已收件" "Received"
    ReceivedSealed "封口收件，内容未核对" "Received sealed, contents unchecked"
    Unverified "手机号待核实" "Phone number not yet confirmed"
    SecondDigits "撤回校验码 {}" "To take back: {}"
    PhotographThis "请拍照留存回执" "Photograph your receipt"
    AnotherLeft "再放一格（剩 {}）" "Next door ({} left)"
    Rate "评价" "Rate"
    RateTitle "服务怎么样？" "How was it?"
    Stars "{} 星" "{} stars"

    Opening "正在打开" "Opening"
    OpeningHint "请稍站开，门会弹开" "Stand back a little: it springs open"
    IsDoorOpen "柜门打开了吗？" "Is the door open?"
    DoorOpened "已打开" "It is open"
    DoorShut "没打开" "It is shut"
    DoorIsOpen "柜门已打开" "The door is open"
    PutIn "请放入信封，然后关门" "Put the envelope in, then close the door"
    PlaceIn "放入文件，然后关门" "Put it in, then close the door"
    TakeOut "请取走文件，然后关门" "Take your documents, then close the door"
    TakeBackOut "请取回文件，然后关门" "Take your envelope back, then close the door"
    ClearOut "取出信包，然后关门" "Take it out, then close the door"
    LookInside "查看格口，然后关门" "Look inside, then close the door"
    PleaseClose "请关好柜门" "Please close the door"
    PleaseCloseNow "柜门还开着！请推紧关好" "Still open! Push the door shut"
    IHaveClosed "我已关门" "I closed it"
    ScanEnvelope "可扫信封条码" "You may scan the envelope"
    EnvelopeRead "信封条码已读" "Envelope scanned"
    SomethingInside "格口内有物品" "Something is inside"
    NothingInside "格口内无物品" "Nothing is inside"
    AnotherDoor "换一个门" "Another door"
    AnotherDoorWhy "为什么要换？" "What is the matter?"
    Occupied "里面有东西" "Something is inside"
    Dirty "不干净" "Dirty"
    TooSmall "太小" "Too small"
    OutOfReach "够不着" "Out of reach"
    SomethingWrong "有问题" "Problem"
    WhatIsWrong "有什么问题？" "What is wrong?"
    ComplaintEmpty "里面是空的" "It is empty"
    ComplaintWrong "不是我的" "Not mine"
    ComplaintDamaged "已拆封或损坏" "Opened or damaged"
    ComplaintForeign "有别的东西" "Something else is inside"

    SorryTitle "抱歉，没有办成" "Sorry, it did not work"
    StuckInside "门没打开。文件安全，取件码仍有效，已报告工作人员" "The door did not open. Your documents are safe, your code stays valid, and we were told"
    StuckNoOther "门没打开，也没有别的空格口。请换一柜" "The door did not open and no other is free. Please use another cabinet"
    SorryFull "没有合适的空格口。请稍后再来或换一柜" "No free door fits. Come later or use another cabinet"
    LeftOpen "门没关好，工作人员会来核实。请推上柜门" "The door stayed open. Staff will check. Please push it shut"
    TooMany "无凭证交件已达上限，请先取得凭证码" "Too many hand-ins without a pass. Please get a pass first"
    TookEverything "都取出来了吗？" "Did you take everything?"
    TookYes "都取了" "Yes, everything"
    Collected "取件完成" "Collected"
    CollectedHint "请带好文件，再见" "Please keep your documents safe"
    TakenBack "已撤回" "Taken back"
    TakenBackHint "这次交件已取消" "This hand-in is cancelled"
    NothingPutIn "没有放入文件" "Nothing was put in"
    NothingPutInHint "交件已取消，可随时再来" "Cancelled. You may come again any time"
    ComplaintNoted "问题已记录" "We noted the problem"
    ComplaintNotedHint "工作人员会与您联系" "The office will call you"
    NextDoor "开下一门（剩 {}）" "Next door ({} left)"
    MoreTimeTitle "还需要时间吗？" "Do you need more time?"
    HomeIn "{} 秒后回到首页" "Back to the start in {} s"
    MoreDoors "还有 {} 个柜门" "Doors still to open: {}"
    MoreTime "继续办理" "More time"
    HelpTitle "人工帮助" "Help from a person"
    HelpHint "请报柜机和编号" "Tell us cabinet and reference"

    StaffClear "揽收" "Clear"
    StaffPlace "存件" "Place"
    StaffRecall "回收" "Recall"
    StaffInspect "核查" "Inspect"
    Courier "揽投员 {}" "Courier {}"
    Technician "维护员 {}" "Technician {}"
    FreeDoors "空格口 {}" "Free {}"
    RoundClearing "揽收清单" "To clear"
    RoundRecall "回收清单" "To recall"
    RoundInspection "核查清单" "To inspect"
    RoundRest "剩 {}" "{} left"
    RoundDone "已办 {}" "{} done"
    RoundEmpty "没有待办" "Nothing left to do"
    OpenNext "开下一个" "Open next"
    EndRound "结束" "End round"
    Unconfirmed "待核实" "In doubt"
    ScanLabel "请扫标签" "Scan the next label"
    LastPlaced "上一件：{}" "Last one: {}"
    UndoLast "撤销上一件" "Undo last"
    LabelUnreadable "不是标签，请再扫" "Not a label. Scan again"
    LabelInside "这件已在柜内" "This one is inside already"
    LabelNoRoom "没有合适的空格口" "No free door fits"
    HowLarge "标签未登记，要多大？" "Unknown label. How large?"
    WhatIsInside "里面是什么？" "What is inside?"
    InsideRight "应有的文件" "What should be"
    InsideEmpty "空的" "Nothing"
    InsideForeign "不明物品" "Something else"
    Compartments "全部格口" "All doors"
    StateOpen "开着" "Open"
    StateClosed "关着" "Closed"
    StateUnknown "不明" "Unknown"
    StateOccupied "有件" "In use"
    StateFree "空" "Free"
    StateWithdrawn "停用" "Withdrawn"
    StateUnreachable "失联" "No answer"
    WithdrawFor "停用：{}" "Withdraw: {}"
    ReturnToService "恢复使用" "Return to service"
    Broken "故障" "Broken"
    Ordered "按指令" "As ordered"
    OccupiedShort "有异物" "Occupied"

    PleaseWait "请稍候" "Please wait"
    GoneHint "设备正在恢复，柜内文件安全" "The machine is recovering. Documents inside are safe"
    OutOfService "暂停服务" "Out of service"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_is_missing_in_either_language() {
        for message in Message::ALL {
            let (zh, en) = (message.text(Language::Zh), message.text(Language::En));
            assert!(!zh.trim().is_empty() && !en.trim().is_empty(), "{message:?}");
            assert_eq!(zh.matches("{}").count(), en.matches("{}").count(), "{message:?}");
            let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            if *message != Message::OtherLanguage && *message != Message::Reference {
                assert!(chinese(zh), "{message:?} is not Chinese");
                assert!(!chinese(en), "{message:?} is not English");
            }
        }
    }
}
