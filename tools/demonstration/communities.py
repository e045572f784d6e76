"""Posts, risk points and the ten "haves" of the 25 communities, in the form of content/shelters/communities.yaml."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from tools.demonstration.hazards import risk_points
from tools.demonstration.roads import SEED, Town

HEAD = """# Demonstration: posts, telephones, risk points and the state of the ten "haves" of preparedness, all invented. The
# numbers begin with 129, where no carrier can assign one. `python -m tools.demonstration` writes this file.

"""
#: (post, task) in Chinese and English, in the order in which they are called.
POSTS = (
    ("社区应急值班室", "Duty room of the community", "24 小时接听求助和报险", "Answers calls for help day and night"),
    ("社区防汛防风责任人", "Flood and typhoon officer", "统一指挥本社区转移避险", "Directs the evacuation of the community"),
    ("转移安置责任人", "Officer for transfers", "通知并护送转移对象", "Calls and escorts those who need help to leave"),
    ("避难场所管理员", "Shelter keeper", "开放避难场所、登记人数", "Opens the shelters and counts who is in"),
    ("地质灾害巡查员", "Slope watcher", "巡查边坡和河岸，先撤后报", "Walks slopes and banks; people first, reports second"),
)
SLOPE_POST = 4
#: For each of the ten: how often it is there, missing or unknown (percent), and what is noted when it is there or missing.
TEN: dict[str, tuple[tuple[int, int, int], tuple[str, str], tuple[str, str]]] = {
    "organisation": ((100, 0, 0), ("名单每季核对", "The list is checked each quarter"),
        ("", "")),
    "speakers": ((88, 4, 8), ("每日播报", "They speak every day"),
        ("两处听不到", "Not heard in two places")),
    "alarms": ((64, 20, 16), ("铜锣两面、手摇警报器一台", "Two gongs and a hand siren"),
        ("手摇警报器已报修", "The hand siren is broken")),
    "shelter": ((100, 0, 0), ("见避难场所名录", "See the list of shelters"),
        ("", "")),
    "risk_map": ((84, 8, 8), ("张贴于公示栏", "It hangs on the notice board"),
        ("正在更新", "It is being redrawn")),
    "card": ((56, 24, 20), ("已发到风险点各户", "Every household at a risk point has it"),
        ("三成住户未领", "A third have not got theirs")),
    "duty": ((96, 0, 4), ("电话和对讲机", "By telephone and radio"),
        ("", "")),
    "lighting": ((60, 24, 16), ("发电机一台、照明灯六盏", "A generator and six lamps"),
        ("发电机待购", "A generator is to be bought")),
    "booklet": ((68, 12, 20), ("随明白卡发放", "Given out with the cards"),
        ("已发完，待重印", "Out of print")),
    "board": ((92, 4, 4), ("社区门口", "At the community's gate"),
        ("因施工拆除", "Taken down for building work")),
}


def tree(town: Town) -> dict[str, Any]:
    """The whole file."""
    chance = random.Random(SEED + 4)  # noqa: S311 - only the same each time
    return {"demonstration": True, "communities": [_community(town, i, chance) for i in range(len(town.communities))]}


def _community(town: Town, index: int, chance: random.Random) -> dict[str, Any]:
    risks = risk_points(town, index, chance)
    slopes = any(risk["kind"] in ("slope", "river") for risk in risks)
    posts = [_post(index, number) for number in range(len(POSTS)) if slopes or number != SLOPE_POST]
    ten = {item: have for item in TEN if (have := _have(item, chance))}
    return {"code": town.communities[index].code, "posts": posts, "risks": risks, "ten": ten}


def _post(index: int, number: int) -> dict[str, Any]:
    zh, en, task_zh, task_en = POSTS[number]
    phone = f"129 0001 {index + 1:02d}{number + 1:02d}"
    return {"post": {"zh": zh, "en": en}, "task": {"zh": task_zh, "en": task_en}, "phone": phone}


def _have(item: str, chance: random.Random) -> dict[str, Any] | None:
    shares, there, missing = TEN[item]
    answer = chance.choices(("there", "missing", "unknown"), shares)[0]
    if answer == "unknown":
        return None
    zh, en = there if answer == "there" else missing
    have: dict[str, Any] = {"there": answer == "there"}
    if zh:
        have["note"] = {"zh": zh, "en": en}
    have["checked"] = date(2026, chance.randint(7, 11), chance.randint(1, 24))
    return have


def write(path: Path, town: Town) -> int:
    """Write the file; how many communities it holds."""
    content = tree(town)
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=130, default_flow_style=None)
    path.write_text(HEAD + text, encoding="utf-8")
    return len(content["communities"])
