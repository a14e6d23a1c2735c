"""Where an installation came from: what pip noted, and what of it another machine can use."""

import pytest

from promptforge.workbench.origin import installed_from, source_of

GIT = {"vcs": "git", "requested_revision": "main", "commit_id": "1f0c5a"}


@pytest.mark.parametrize(
    ("noted", "source"),
    [
        (
            {"url": "https://git.example/a/promptforge.git", "vcs_info": GIT},
            "git+https://git.example/a/promptforge.git@1f0c5a",
        ),
        (
            {"url": "ssh://git@git.example/a/promptforge", "vcs_info": GIT},
            "git+ssh://git@git.example/a/promptforge@1f0c5a",
        ),
        (
            {"url": "https://git.example/a/tools", "vcs_info": GIT, "subdirectory": "promptforge"},
            "git+https://git.example/a/tools@1f0c5a#subdirectory=promptforge",
        ),
        (
            {"url": "https://files.example/promptforge-0.1.0.whl", "archive_info": {"hash": "sha256=ab12"}},
            "https://files.example/promptforge-0.1.0.whl#sha256=ab12",
        ),
        ({"url": "https://files.example/p.tar.gz", "archive_info": {}}, "https://files.example/p.tar.gz"),
        ({"url": "file:///home/mara/promptforge", "dir_info": {"editable": True}}, ""),
        ({"url": "file:///home/mara/promptforge", "vcs_info": GIT}, ""),
        ({"url": "https://mara:hunter2@git.example/a/promptforge", "vcs_info": GIT}, ""),
        ({"url": "https://token@git.example/a/promptforge", "vcs_info": GIT}, ""),
        ({"url": 'https://git.example/a"; rm', "vcs_info": GIT}, ""),
        ({"url": "https://git.example/a/promptforge", "vcs_info": {"vcs": "git"}}, ""),
        ({"url": "https://[broken", "vcs_info": GIT}, ""),
        ({"url": 4}, ""),
        ({}, ""),
    ],
)
def test_what_another_machine_can_use(noted, source):
    """A repository at its commit and an archive with its digest are sources; a folder and a login are none."""
    assert source_of(noted) == source


class Installed:
    """An installation of which pip noted this."""

    def __init__(self, noted):
        self.noted = noted

    def read_text(self, name):
        """The one file that is asked for."""
        assert name == "direct_url.json"
        return self.noted


@pytest.mark.parametrize("noted", [None, "", "no JSON", "[]", '{"url": "file:///x", "dir_info": {}}'])
def test_nothing_noted(monkeypatch, noted):
    """An installation of which pip noted nothing that helps has no source."""
    monkeypatch.setattr("promptforge.workbench.origin.distribution", lambda name: Installed(noted))
    assert installed_from() == ""


def test_what_pip_noted(monkeypatch):
    """What pip noted is read from the installation itself."""
    noted = '{"url": "https://git.example/promptforge", "vcs_info": {"vcs": "git", "commit_id": "1f0c5a"}}'
    monkeypatch.setattr("promptforge.workbench.origin.distribution", lambda name: Installed(noted))
    assert installed_from() == "git+https://git.example/promptforge@1f0c5a"
