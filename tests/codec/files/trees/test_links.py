"""Where links lead."""

import os
from pathlib import Path

from codec.files.tools import posix

from nzip.codec.files.trees.links import leads_to, link_at


@posix
class TestLinks:
    def test_where_the_system_ends_up(self, tmp_path: Path) -> None:
        """The second look, at what was made, agrees with the system's own."""
        room = os.path.realpath(tmp_path)
        (tmp_path / "d" / "e").mkdir(parents=True)
        links = {"a": "d", "d/up": "..", "d/e/far": "../../a/./e//", "b": "d/up/a/e", "abs": room, "gone": "no/../x"}
        for name, leads in links.items():
            (tmp_path / name).symlink_to(leads)
        for name in [*links, "d", "b/far", "a/up/d", "nothing"]:
            assert leads_to(room, name, link_at) == os.path.realpath(tmp_path / name), name
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "wide").symlink_to("./" * 2000 + "wide")
        assert leads_to(room, "loop", link_at) is None
        assert leads_to(room, "wide", link_at) == os.sep
