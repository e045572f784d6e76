"""How the columns of a list are called, in and out."""

from __future__ import annotations

import unicodedata

PHONE, COMMUNITY, AUDIENCES, LANGUAGE = "phone", "community", "audiences", "language"
COLUMNS = (PHONE, COMMUNITY, AUDIENCES, LANGUAGE)
HEADS = {"zh": ("手机号", "社区", "人群", "语言"), "en": COLUMNS}
_CALLED = {
    PHONE: ("手机号", "手机", "手机号码", "联系电话", "联系方式", "电话", "电话号码", "phone", "phonenumber", "mobile",
            "mobilenumber", "mobilephone", "telephone", "tel", "cell", "msisdn", "number"),
    COMMUNITY: ("社区", "所在社区", "社区代码", "社区名称", "居住社区", "所属社区", "行政区划代码", "村居", "村社区", "community",
                "communities", "communitycode", "region", "regions", "region_code", "regioncode", "area"),
    AUDIENCES: ("人群", "人群类别", "类别", "类型", "身份", "audience", "audiences", "group", "groups", "category"),
    LANGUAGE: ("语言", "语种", "接收语言", "language", "lang"),
}
_BY_NAME = {name: column for column, names in _CALLED.items() for name in names}


def folded(text: str) -> str:
    """One form of what people write in many: width, capitals and spaces do not tell words apart."""
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def called(heading: str) -> str:
    """The column that is called so; empty for one that nobody asks for."""
    name = folded(heading.lstrip("\ufeff"))
    return _BY_NAME.get(name) or _BY_NAME.get(name.partition("(")[0], "")
