"""What is wrong with a zone, or unwise about it, in Chinese: the checks speak English, to people at files; pure."""

import re
from typing import Final

_WORDS: Final[dict[str, dict[str, str]]] = {
    "kind": {"keep_in": "活动范围", "keep_out": "禁入区域", "curfew": "宵禁地点", "interest": "关注地点"},
    "list": {"orgs": "机构", "wearers": "佩戴者", "schedules": "时间表"},
    "shape": {
        "Point": "圆",
        "LineString": "走廊",
        "MultiLineString": "走廊",
        "Polygon": "多边形",
        "MultiPolygon": "多边形",
    },
    "size": {"radius": "半径", "width": "宽度"},
    "on": {"nearing the line": "临近提醒", "lingering": "停留提醒"},
    "defect": {
        "self-intersection": "边界自相交",
        "ring self-intersection": "边界与自身相接",
        "hole lies outside shell": "孔洞在外边界之外",
        "holes are nested": "孔洞互相嵌套",
        "nested shells": "多个部分互相嵌套",
        "interior is disconnected": "内部不连通",
        "duplicate rings": "边界重复",
        "too few points in geometry component": "点数过少",
    },
}
"""Words that stand in a sentence, by the part in which they stand."""

_SENTENCES: Final = tuple(
    (re.compile(english, re.DOTALL), chinese)
    for english, chinese in (
        (r"is missing", "缺少此项"),
        (r"unknown field; there are (?P<fields>.*)", "没有这一项；可用：{fields}"),
        (r"there is no (?P<what>\S+) in (?P<list>\w+)", "没有这个{list}：{what}"),
        (r"Invalid enum value '(?P<what>.*)'", "没有这个选项：{what}"),
        (r"Expected `float` > 0\.0", "必须大于 0"),
        (r"Expected `str` matching regex .*", "格式不对：编号只用字母、数字、点、下划线和连字符，最多 64 个"),
        (r"send one GeoJSON Feature", "须为一个 GeoJSON Feature"),
        (r"unknown; a Feature has (?P<fields>.*)", "Feature 没有这一项；可用：{fields}"),
        (r"a Feature has its (?P<what>\w+) beside them", "{what} 应写在 properties 之外"),
        (r"must be a list of \w+", "坐标的层次不对：应为列表"),
        (r"must be an object: .*", "须为对象，写明 org、name、kind、datum 等"),
        (r"Expected `(?P<want>.*)`, got `(?P<got>.*?)`.*", "类型不对：应为 {want}，收到 {got}"),
        (
            r"only (?P<kinds>.*) zones ring on (?P<on>.*); this one is (?P<kind>\w+)",
            "{kind}没有{on}，只有{kinds}才有；请留空",
        ),
        (r"type is (?P<what>.*); it must be .*", "不支持这种图形（{what}）：请用圆、多边形、多个多边形或走廊"),
        (r"a (?P<shape>\w+) needs a (?P<size>\w+) in metres", "{shape}须填{size}（米）"),
        (r"a (?P<shape>\w+) has no (?P<size>\w+); leave it out.*", "{shape}没有{size}，请留空"),
        (r"a line needs at least 2 positions that differ", "走廊至少要有两个不同的点"),
        (r"a ring needs at least \d+ positions.*", "边界至少要有三个角，且首尾相接"),
        (r"the ring is not closed.*", "边界没有闭合：最后一点须与第一点相同"),
        (r"must be \[longitude, latitude\]", "应为 [经度, 纬度]"),
        (r"longitude (?P<value>\S+) is not within.*", "经度 {value} 不在 -180 到 180 之间"),
        (r"latitude (?P<value>\S+) is not within.*", "纬度 {value} 不在 -90 到 90 之间；GeoJSON 先写经度"),
        (
            r"not a valid shape: (?P<defect>.*?) at \[(?P<at>.*?)\];.*",
            "图形无效：{defect}，位于 [{at}]；可请求修复后的图形",
        ),
        (r"(?P<end>\S+) is not after (?P<start>\S+)", "结束时间 {end} 不晚于开始时间 {start}"),
        (r"the zone has begun, and that stands.*", "区域已经生效，生效时间不能再改，请留空"),
        (r"(?P<when>\S+) has passed; nothing is back-dated", "{when} 已经过去；不能倒填时间"),
        (
            r"(?P<place>.*) collides with 禁止 zone (?P<zone>\S+) \((?P<name>.*)\), which no leave can open",
            "已批准请假的地点“{place}”与禁入区域“{name}”（{zone}）冲突，请假不能开放禁入区域",
        ),
        (
            r"GCJ-02 → WGS-84 → GCJ-02: (?P<error>\S+) m, more than (?P<most>\S+) m.*",
            "GCJ-02 往返转换误差 {error} 米，超过 {most} 米：GCJ-02 只用于中国大陆，请核对坐标系",
        ),
        (
            r"only (?P<reach>\S+) m from its middle to its line, under (?P<times>\d+) times .*\((?P<fix>\S+) m\).*",
            "中心到边界只有 {reach} 米，不足定位精度（{fix} 米）的 {times} 倍；仅凭定位误差就会误报",
        ),
        (
            r"(?P<who>.*?): no part in common with (?P<zones>.*), and both hold at once; there is no way to obey",
            "{who}：与{zones}没有重叠，而两者同时生效，无法同时遵守",
        ),
        (r"(?P<who>.*?): contains (?P<zones>.*), and both hold at once", "{who}：包含{zones}，而两者同时生效"),
        (
            r"(?P<who>.*?): wholly covered by (?P<zones>.*); there is nowhere to be",
            "{who}：被{zones}完全覆盖，无处可去",
        ),
        (r"(?P<who>.*?): together with (?P<zones>.*) it leaves nowhere to be", "{who}：加上{zones}，已无处可去"),
    )
)
_ZONE: Final = re.compile(r"(?P<kind>keep-in|keep-out|curfew|interest) zone (?P<id>\S+) \((?P<name>.*?)\)(, )?")
_OTHERS: Final = re.compile(r"(?P<first>\S+) and (?P<others>\d+) others?")


def in_both(message: str) -> dict[str, str]:
    """What a check said, and the same in Chinese; what nobody has translated stays English in both.

    >>> in_both("there is no w-7 in wearers")
    {'en': 'there is no w-7 in wearers', 'zh': '没有这个佩戴者：w-7'}
    """
    return {"en": message, "zh": _chinese(message)}


def _chinese(message: str) -> str:
    for english, chinese in _SENTENCES:
        if found := english.fullmatch(message):
            return chinese.format(**{name: _part(name, text) for name, text in found.groupdict().items()})
    return message


def _part(name: str, text: str) -> str:
    """A part of a sentence, in Chinese where it is words."""
    match name:
        case "kinds":
            return "和".join(_WORDS["kind"][kind] for kind in text.split(" and "))
        case "zones":
            return "、".join(map(_named, _ZONE.finditer(text))) or text
        case "who" if others := _OTHERS.fullmatch(text):
            return f"{others['first']} 等 {int(others['others']) + 1} 人"
    return _WORDS.get(name, {}).get(text, text)


def _named(zone: re.Match[str]) -> str:
    return f"{_WORDS['kind'][zone['kind'].replace('-', '_')]}“{zone['name']}”"
