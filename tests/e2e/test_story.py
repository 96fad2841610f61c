"""The whole story on real Git repositories, a real OpenBao, an emulated vendor and a stand-in for GitHub.

A developer proposes, the pipeline of the pull request says what it means, a policy denies, a waiver is merged, the change
is merged and applied from its saved plan, somebody edits the key at the vendor, the scheduled run opens an issue, the next
apply repairs it and the issue closes. And the hostile one: a pull request that sends credentials elsewhere, and judges
itself.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.github import Hub
from tests.support.openbao import Naps
from tests.support.repository import Repository
from tests.support.world import Run, World

NUMBER = "7"
WIDE = "canEditComputerProperties"
POLICY = f"""
apiVersion: reconciler/v1
kind: Policy
metadata: {{name: acme}}
spec:
  rules:
    - id: nobody-edits-computers
      severity: deny
      assert: '!level.permissions.exists(right, right.endsWith("{WIDE}"))'
      message: "{{{{ key.name }}}} could edit computers"
      hint: take the right out of the access level
"""
WAIVER = """
apiVersion: reconciler/v1
kind: Waiver
metadata: {name: splunk-edits, tenant: dsm}
spec:
  rule: nobody-edits-computers
  object: ApiKey/splunk
  reason: tags computers until the agents do
  approver: ciso@example.com
  until: 2099-06-30
"""


@dataclass
class Forge:
    """Where the repository is, with a developer's clone (`world`) and a fresh clone for each pipeline."""

    world: World
    origin: Path
    scratch: Path
    jobs: int = 0

    def push(self, branch: str = "main") -> None:
        """The developer commits everything and pushes a branch."""
        developer = Repository(self.world.folder)
        developer.commit()
        developer.git("push", "-q", "origin", f"HEAD:{branch}")

    def branch(self, name: str) -> None:
        """The developer begins a branch at what is on main."""
        developer = Repository(self.world.folder)
        developer.git("fetch", "-q", "origin")
        developer.git("checkout", "-q", "-B", name, "origin/main")

    def merge(self, branch: str) -> None:
        """The pull request is merged."""
        developer = Repository(self.world.folder)
        developer.git("fetch", "-q", "origin")
        developer.git("checkout", "-q", "-B", "main", "origin/main")
        developer.git("merge", "-q", "--no-ff", "-m", "merged", f"origin/{branch}")
        developer.git("push", "-q", "origin", "main")

    def job(self, branch: str) -> World:
        """A pipeline's fresh clone of a branch; main is there as `origin/main`."""
        self.jobs += 1
        folder = self.scratch / f"job{self.jobs}" / "access"
        folder.parent.mkdir(parents=True)
        Repository(self.origin).git("clone", "-q", "--branch", branch, str(self.origin), str(folder))
        return replace(self.world, folder=folder)

    def pull_request(self, branch: str) -> tuple[Run, Run]:
        """What the workflow of a pull request does: access-diff, plan, and one comment of both."""
        job = self.job(branch)
        diff = job.run("access-diff", "origin/main", "HEAD", "--report", "markdown=../diff.md")
        plan = job.run(
            "plan", "--detailed-exitcode", "--trusted-ref", "origin/main", "--report", "markdown=../plan.md",
            "--report", "sarif=../plan.sarif",
        )  # fmt: skip
        told = job.run("comment", "--pull-request", NUMBER, "../diff.md", "../plan.md")
        assert told.status == 0, told.all
        return diff, plan

    def apply_merged(self) -> Run:
        """What the workflow of a merge does: plan the merged commit, then apply just that plan."""
        job = self.job("main")
        assert job.run("plan", "--out", "../saved.plan.json", "--trusted-ref", "HEAD").status == 0
        return job.run("apply", "../saved.plan.json", "--auto-approve", "--trusted-ref", "HEAD")

    def scheduled_drift(self, *args: str) -> Run:
        """What the scheduled workflow does."""
        return self.job("main").run("drift", "--trusted-ref", "HEAD", "--github-issue", "acme/access", *args)


@pytest.fixture
def forge(world: World, naps: Naps, hub: Hub, tmp_path: Path) -> Forge:
    """An estate with a policy and one key, merged and applied; pull request 7 is open."""
    world.tenant()
    world.level()
    world.key()
    world.write("policy.yaml", POLICY)
    origin = tmp_path / "origin.git"
    Repository.make(world.folder).commit()
    Repository(world.folder).git("clone", "-q", "--bare", str(world.folder), str(origin))
    Repository(world.folder).git("remote", "add", "origin", str(origin))
    hub.pull_request(int(NUMBER))
    made = Forge(world, origin, tmp_path / "jobs")
    assert made.apply_merged().status == 0
    return made


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, socket.socket]]:
    """Somebody else's address, and the socket that listens there."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api", server


def issue(hub: Hub) -> dict[str, object]:
    """The one issue that is no pull request."""
    [found] = [one for one in hub.issues if "pull_request" not in one]
    return found


@pytest.mark.promise(1)
@pytest.mark.promise(4)
@pytest.mark.promise(6)
def test_from_proposal_to_repair(forge: Forge, hub: Hub) -> None:
    """Proposed, explained, denied, waived, merged, applied as planned; edited at the vendor, found, repaired, closed."""
    trend = forge.world.trends["dsm"]

    # A branch widens what the key may do: the comment says so for access, and the policy denies.
    forge.branch("wider")
    forge.world.level(right=WIDE)
    forge.push("wider")
    diff, plan = forge.pull_request("wider")
    assert (diff.status, plan.status) == (0, 3)
    assert "access/permissions" in diff.out or WIDE in diff.out
    [comment] = hub.bodies()
    assert "widens" in comment
    assert "splunk could edit computers" in comment
    assert "policy/nobody-edits-computers" in comment

    # The proposal cannot waive it for itself.
    forge.world.write("waiver.yaml", WAIVER)
    forge.push("wider")
    assert forge.pull_request("wider")[1].status == 3
    assert "trust/waiver" in hub.bodies()[0], "and that it tried is told"
    forge.world.remove("waiver.yaml")
    forge.push("wider")

    # A waiver is reviewed and merged by itself; the proposal is planned again, and its one comment follows.
    forge.branch("waive")
    forge.world.write("waiver.yaml", WAIVER)
    forge.push("waive")
    forge.merge("waive")
    assert forge.apply_merged().status == 0
    assert forge.pull_request("wider")[1].status == 2
    [comment] = hub.bodies()
    assert "could edit computers" not in comment

    # Merged, and applied from the plan of the merged commit. The second run has nothing to do.
    forge.merge("wider")
    done = forge.apply_merged()
    assert (done.status, "update" in done.out) == (0, True), done.all
    assert forge.job("main").plan().status == 0
    assert forge.world.authenticates()

    # Nothing has drifted, so nobody is told anything.
    assert forge.scheduled_drift().status == 0
    assert [one for one in hub.issues if "pull_request" not in one] == []

    # Somebody edits the key in the console: the issue opens, is not opened twice, and closes when an apply has repaired it.
    trend.edit_key("splunk", timeZone="Asia/Tokyo")
    assert forge.scheduled_drift().status == 2
    assert forge.scheduled_drift().status == 2
    assert issue(hub)["state"] == "open"
    assert "Asia/Tokyo" in str(issue(hub)["body"])
    assert forge.apply_merged().status == 0
    assert forge.scheduled_drift().status == 0
    assert issue(hub)["state"] == "closed"

    told = "".join([*hub.bodies(), *(str(one["body"]) for one in hub.issues)])
    assert not [secret for secret in forge.world.issued() if secret in told]


@pytest.mark.promise(1)
@pytest.mark.promise(4)
def test_a_hostile_proposal_gets_findings_and_no_credential(
    forge: Forge, hub: Hub, elsewhere: tuple[str, socket.socket]
) -> None:
    """Another endpoint, a looser policy and a plugin: each is a finding, and nothing is sent to the other address."""
    address, listening = elsewhere
    world = forge.world
    forge.branch("hostile")
    tenant = (world.folder / "tenants/dsm.yaml").read_text(encoding="utf-8")
    (world.folder / "tenants/dsm.yaml").write_text(
        tenant.replace(world.trends["dsm"].endpoint, address), encoding="utf-8"
    )
    (world.folder / "policy.yaml").write_text(POLICY.replace("severity: deny", "severity: warn"), encoding="utf-8")
    (world.folder / "requirements.txt").write_text("access-reconciler\nevil-provider\n", encoding="utf-8")
    world.level(right=WIDE)
    forge.push("hostile")
    diff, plan = forge.pull_request("hostile")
    [comment] = hub.bodies()
    for rule in ("trust/endpoint", "trust/policy", "trust/pipeline"):
        assert rule in diff.out or rule in comment, rule
    assert plan.status == 3, plan.all
    with pytest.raises(BlockingIOError):
        listening.accept()
    credential = str(world.trends["dsm"].credentials["secretKey"])
    assert credential not in comment + diff.all + plan.all
