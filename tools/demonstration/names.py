"""Invented street names in the local manner: two characters and a kind, with their pinyin in English."""

from __future__ import annotations

import random

SYLLABLES = {
    "荔": "li", "榕": "rong", "梅": "mei", "桂": "gui", "竹": "zhu", "兰": "lan", "棠": "tang", "莲": "lian", "桐": "tong",
    "松": "song", "溪": "xi", "泉": "quan", "云": "yun", "霞": "xia", "岚": "lan", "峰": "feng", "岭": "ling", "岗": "gang",
    "坡": "po", "湾": "wan", "锦": "jin", "翠": "cui", "碧": "bi", "景": "jing", "秀": "xiu", "丰": "feng", "福": "fu",
    "康": "kang", "泰": "tai", "宁": "ning", "文": "wen", "德": "de", "礼": "li", "信": "xin", "诚": "cheng", "同": "tong",
    "兴": "xing", "达": "da", "汇": "hui", "聚": "ju", "耕": "geng", "禾": "he", "麦": "mai", "桑": "sang", "茶": "cha",
    "陶": "tao", "墨": "mo", "书": "shu", "鹭": "lu", "燕": "yan", "望": "wang", "朝": "chao", "晴": "qing", "曦": "xi",
    "澜": "lan", "汀": "ting", "渡": "du", "桥": "qiao", "塘": "tang", "围": "wei",
}
FIRST = "荔榕梅桂竹兰棠莲桐松锦翠碧景秀丰福康泰文德礼信诚同兴达汇聚耕禾麦桑茶陶墨书鹭燕望朝晴曦澜"
SECOND = "溪泉云霞岚峰岭岗坡湾汀渡桥塘围宁康泰丰禾景秀德信达汇"
KINDS = {"大道": "Avenue", "路": "Road", "街": "Street", "巷": "Lane", "步道": "Path", "石阶": "Steps", "古道": "Trail",
         "桥": "Bridge", "公园": "Park", "广场": "Square", "体育场": "Sports Ground", "绿道": "Greenway",
         "山路": "Hill Road", "里": "Alley"}
#: Names that real streets and places of the region carry; an invention does not borrow them.
TAKEN = {"莲塘", "桂湾", "松岗", "梅岭", "福田", "莲岭", "竹坑", "景田", "梅汀", "碧岭", "碧湾", "锦泰", "同泰", "兴禾", "望岚"}
NUMBERS = "一二三四五六七八九"


class Names:
    """Gives each base name once. `(zh, en)` each time."""

    def __init__(self, chance: random.Random) -> None:
        pairs = [a + b for a in FIRST for b in SECOND if a != b and a + b not in TAKEN]
        chance.shuffle(pairs)
        self._left = pairs
        self._sounds: set[str] = set()

    def base(self) -> tuple[str, str]:
        """A new pair that also sounds unlike every other, while such are left."""
        for at in range(len(self._left) - 1, -1, -1):
            sound = "".join(SYLLABLES[c] for c in self._left[at]).capitalize()
            if sound not in self._sounds:
                self._sounds.add(sound)
                return self._left.pop(at), sound
        zh = self._left.pop()
        return zh, "".join(SYLLABLES[c] for c in zh).capitalize()

    def one(self, kind: str) -> tuple[str, str]:
        return self.of(self.base(), kind)

    @staticmethod
    def of(base: tuple[str, str], kind: str) -> tuple[str, str]:
        return base[0] + kind, f"{base[1]} {KINDS[kind]}"

    @staticmethod
    def numbered(base: tuple[str, str], kind: str, number: int) -> tuple[str, str]:
        return f"{base[0]}{NUMBERS[number - 1]}{kind}", f"{base[1]} {KINDS[kind]} {number}"
