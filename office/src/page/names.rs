//! What codes are called in Chinese and English.

use super::Language;

/// A code with its names; a code that a newer cabinet sent is shown as it is.
pub(super) fn name<'a>(
    language: Language,
    names: &[(&str, &'static str, &'static str)],
    code: &'a str,
) -> &'a str {
    let found = names.iter().find(|(known, ..)| *known == code);
    found.map_or(code, |(_, zh, en)| language.pick(zh, en))
}

pub(super) const STATES: &[(&str, &str, &str)] = &[
    ("dropped-off", "已交件，待揽收", "handed in, to be cleared"),
    ("placed", "待取件", "waiting for collection"),
    ("unconfirmed", "待核实", "unconfirmed"),
    ("disputed", "有异议", "disputed"),
    ("collected", "已取件", "collected"),
    ("cleared", "已揽收", "cleared"),
    ("taken-back", "已撤回", "taken back"),
    ("recalled", "已回收", "recalled"),
    ("missing", "不在柜内", "not inside"),
];

pub(super) const ALARMS: &[(&str, &str, &str)] = &[
    ("door-jammed", "柜门打不开", "door does not open"),
    ("door-open", "柜门未关", "door left open"),
    ("door-forced", "柜门被强行打开", "door forced"),
    ("sensor-broken", "门传感器故障", "door sensor broken"),
    ("board-lost", "锁控板无应答", "lock board does not answer"),
    ("port-lost", "串口断开", "serial port gone"),
    ("peripheral-lost", "外设断开", "device gone"),
    ("guessing", "有人在试取件码", "somebody guesses codes"),
    ("forgery", "收到伪造的消息或凭证", "forged messages or passes"),
    ("storage-low", "存储空间不足", "disk nearly full"),
    ("journal-damaged", "流水损坏", "journal damaged"),
    ("clock-untrusted", "时钟不可信", "clock not trusted"),
    ("cabinet-full", "箱柜已满", "cabinet full"),
    ("dispute", "有异议待处理", "dispute waiting"),
    ("fork", "流水分叉", "history forked"),
    ("gap", "流水有缺口", "history has a gap"),
    ("silent", "长时间没有消息", "nothing heard for long"),
    ("malformed", "收到不成流水的消息", "messages that are no history"),
    (
        "revoked-cabinet",
        "已注销的箱柜仍在发消息",
        "messages of a revoked cabinet",
    ),
    (
        "unknown-cabinet",
        "未登记的箱柜发来消息",
        "messages of a cabinet that is not enrolled",
    ),
    ("pass-used-elsewhere", "凭证码在别处用过", "pass used elsewhere"),
    ("help-requested", "现场求助", "somebody asks for help"),
];

pub(super) const EVENTS: &[(&str, &str, &str)] = &[
    ("started", "已启动", "started"),
    ("visit-granted", "授权开柜", "visit granted"),
    ("visit-moved", "换格口", "visit moved"),
    ("visit-settled", "开柜操作结束", "visit settled"),
    ("unlock-begun", "开锁", "unlock"),
    ("unlock-failed", "开锁失败", "unlock failed"),
    ("unlock-interrupted", "开锁中断", "unlock interrupted"),
    ("door-opened", "门已开", "door opened"),
    ("door-closed", "门已关", "door closed"),
    ("door-found", "门状态", "door found"),
    ("door-left-open", "门未关", "door left open"),
    ("door-forced", "强行开门", "door forced"),
    ("dropped-off", "交件", "dropped off"),
    ("taken-back", "撤回", "taken back"),
    ("cleared", "揽收", "cleared"),
    ("placed", "存件", "placed"),
    ("collected", "取件", "collected"),
    ("recalled", "回收", "recalled"),
    ("code-reissued", "重发取件码", "code reissued"),
    ("hold-started", "开始计保管期", "hold started"),
    ("unconfirmed", "待核实", "unconfirmed"),
    ("confirmed", "已核实", "confirmed"),
    ("disputed", "有异议", "disputed"),
    ("alarm-raised", "告警", "alarm raised"),
    ("alarm-cleared", "告警解除", "alarm cleared"),
    ("clock-corrected", "时钟校正", "clock corrected"),
    ("document-applied", "文件已生效", "document in force"),
    ("layout-changed", "格口配置变更", "compartments changed"),
    ("compartment-withdrawn", "格口停用", "compartment withdrawn"),
    ("compartment-returned", "格口恢复", "compartment returned"),
    ("tries-counted", "错误码计数", "wrong tries counted"),
    ("pass-used", "凭证码已用", "pass used"),
    ("pass-refused", "凭证码被拒", "pass refused"),
    ("staff-admitted", "员工登录", "staff admitted"),
    ("command-accepted", "指令已接受", "command accepted"),
    ("command-refused", "指令被拒", "command refused"),
    ("command-done", "指令已执行", "command done"),
    ("board-lost", "锁控板断开", "board lost"),
    ("board-found", "锁控板恢复", "board found"),
    ("port-lost", "串口断开", "port lost"),
    ("port-found", "串口恢复", "port found"),
    ("peripheral-lost", "外设断开", "device lost"),
    ("peripheral-found", "外设恢复", "device found"),
    ("tampered", "箱体被触动", "tampered"),
    ("power-changed", "电源变化", "power changed"),
    ("help-requested", "求助", "help requested"),
    ("rated", "评价", "rated"),
];
