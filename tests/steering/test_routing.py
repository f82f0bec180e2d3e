"""Which adapters and instructions a turn gets, by the policy in force."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.api.installation import Installation, Person
from tests.steering.conftest import Somebody

from liminal.chat.answering import Answerer
from liminal.chat.routing import Routing, recorded_routing
from liminal.engine.embedder import Embedder
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.learning.errors import NoSuchAdapter
from liminal.log.log import Log
from liminal.replay.what_if import Range, shadowed, what_if
from liminal.steering.artifacts import current_learning_policy, ensure_defaults
from liminal.steering.changes import Author, Changes
from liminal.steering.kinds import DEFAULTS, ROUTING, SHADOW
from liminal.steering.learning_policy import LearningPolicy
from liminal.steering.program import compile_policy
from liminal.steering.router import Asked, Router
from liminal.steering.routing_policy import RoutingPolicy


def mixture(routing: Routing) -> dict[str, float]:
    """Adapters and gates."""
    return {use.name: use.gate for use in routing.adapters}


def fired(routing: Routing) -> list[tuple[str, str, str | None]]:
    """What the trace says."""
    return [(rule.rule, rule.action, rule.target) for rule in routing.rules]


def policy(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A policy of these rules."""
    return {"rules": [{"name": f"rule-{index}", **rule} for index, rule in enumerate(rules)], **more}


def says(text: str) -> dict[str, str]:
    """An action that adds an instruction."""
    return {"action": "add_instruction", "text": text}


async def tenant_with(log: Log, body: dict[str, Any], artifact_id: str = ROUTING) -> str:
    """A tenant that has a policy of its own."""
    tenant = str(uuid.uuid4())
    await Changes(log).create(Author(tenant, "test"), artifact_id, body)
    return tenant


async def test_the_first_turn_puts_the_built_in_policy_on_the_log_and_names_its_version(
    log: Log, somebody: Somebody, answerer: Answerer
) -> None:
    routing = await answerer.route(somebody.question("hello"))
    assert (routing.policy_id, routing.policy_version) == (ROUTING, 1)
    row = await log.pool.fetchrow(
        "SELECT owner_id, version FROM read.artifacts WHERE artifact_id = $1", ROUTING
    )
    assert (row["owner_id"], row["version"]) == (SYSTEM_TENANT, 1)
    await ensure_defaults(log)
    versions = await log.pool.fetchval(
        "SELECT count(*) FROM read.artifact_versions WHERE artifact_id = $1 AND owner_id = $2",
        ROUTING,
        SYSTEM_TENANT,
    )
    assert versions == 1


async def test_the_learning_policy_has_a_version_and_a_tenant_may_have_its_own(log: Log) -> None:
    found = await current_learning_policy(log)
    assert (found.owner, found.version, found.body) == (SYSTEM_TENANT, 1, LearningPolicy())
    tenant = str(uuid.uuid4())
    author = Author(tenant, "test")
    await Changes(log).create(author, "policy.learning", {"persona": {"least_feedback": 2}})
    own = await current_learning_policy(log, tenant)
    assert (own.owner, own.version) == (tenant, 1)
    assert (own.body.persona.least_feedback, own.body.persona.more_feedback) == (2, 3)
    await Changes(log).archive(author, "policy.learning", archived=True)
    assert (await current_learning_policy(log, tenant)).owner == SYSTEM_TENANT


async def test_a_person_gets_their_own_persona_and_their_own_words(
    log: Log, somebody: Somebody, answerer: Answerer
) -> None:
    other = Somebody(log)
    await somebody.adapter("persona-mine")
    await other.adapter("persona-theirs")
    always = await somebody.rule("always", "use bullet points")
    never = await somebody.rule("never", "apologise")
    await other.rule("always", "shout")
    routing = await answerer.route(somebody.question("hello"))
    assert mixture(routing) == {"persona-mine": 1.0}
    assert routing.instructions == ("Use bullet points.", "Do not apologise.")
    assert fired(routing) == [
        ("persona", "activate", "persona-mine"),
        ("own-words", "add_instruction", f"feedback:{always}"),
        ("own-words", "add_instruction", f"feedback:{never}"),
    ]


async def test_without_learning_the_base_answers_alone_whatever_the_policy_says(
    log: Log, answerer: Answerer
) -> None:
    tenant = await tenant_with(
        log,
        policy(
            {
                "then": [
                    {"action": "activate", "adapters": "true"},
                    {"action": "add_instruction", "source": "rules"},
                ]
            },
            {"then": [{"action": "add_instruction", "text": "Company policy."}]},
        ),
    )
    somebody = Somebody(log, tenant=tenant)
    await somebody.adapter("persona-mine")
    await somebody.rule("always", "be brief")
    assert mixture(await answerer.route(somebody.question("hello"))) == {"persona-mine": 1.0}
    routing = await answerer.route(somebody.question("hello", without_learning=True))
    assert mixture(routing) == {}
    assert routing.instructions == ("Company policy.",)
    assert ("request", "deactivate", "what was learned") in fired(routing)


async def test_an_adapter_that_is_off_or_did_not_pass_its_gate_takes_no_part(
    log: Log, somebody: Somebody, answerer: Answerer
) -> None:
    off = await somebody.adapter("persona-off")
    await somebody.adapter("persona-failed", passed=False)
    await somebody.switch(off, active=False)
    assert mixture(await answerer.route(somebody.question("hello"))) == {}
    with pytest.raises(NoSuchAdapter):
        await answerer.route(somebody.question("hello", extra={"adapters": {"persona-failed": 1.0}}))
    await somebody.switch(off, active=True)
    assert mixture(await answerer.route(somebody.question("hello"))) == {"persona-off": 1.0}


async def test_a_policy_that_names_an_adapter_of_another_tenant_or_account_activates_nothing(
    log: Log, answerer: Answerer
) -> None:
    theirs = Somebody(log, tenant=str(uuid.uuid4()))
    await theirs.adapter("persona-secret")
    await theirs.adapter("house-style", "imported", scope="tenant")
    names = "adapter in ['persona-secret', 'house-style'] or true"
    tenant = await tenant_with(log, policy({"then": [{"action": "activate", "adapters": names}]}))
    mine = Somebody(log, tenant=tenant)
    neighbour = Somebody(log, tenant=tenant)
    await neighbour.adapter("persona-neighbour")
    routing = await answerer.route(mine.question("hello"))
    assert (routing.policy_version, mixture(routing)) == (1, {})
    with pytest.raises(NoSuchAdapter):
        await answerer.route(mine.question("hello", extra={"adapters": {"house-style": 1.0}}))


async def test_an_adapter_of_another_base_model_takes_no_part(somebody: Somebody, router: Router) -> None:
    await somebody.adapter("persona-mine")
    for base, names in ((None, ["persona-mine"]), ("b", ["persona-mine"]), ("another", [])):
        asked = Asked(somebody.id, somebody.tenant, uuid.uuid4(), datetime.now(UTC), "hello", base=base)
        routed = await router.route(asked)
        assert [use.name for use in routed.decision.adapters] == names


async def test_a_mixture_that_was_asked_for_is_taken_as_it_is(somebody: Somebody, answerer: Answerer) -> None:
    await somebody.adapter("persona-mine")
    await somebody.adapter("brief", "imported")
    routing = await answerer.route(somebody.question("hello", extra={"adapters": {"brief": 1.7}}))
    assert mixture(routing) == {"brief": 1.7}
    assert fired(routing)[0] == ("request", "activate", "brief")


async def test_the_nearest_skill_joins_the_persona_and_the_trace_says_why(
    somebody: Somebody, answerer: Answerer, embedder: Embedder
) -> None:
    bread, stars = await embedder.embed(
        ["How do I bake bread with sourdough?", "How far away are the stars?"]
    )
    await somebody.adapter("persona-mine")
    await somebody.skill("baking", bread.tolist())
    await somebody.skill("stars", stars.tolist())
    routing = await answerer.route(somebody.question("How long does sourdough bread bake?"))
    assert mixture(routing) == {"persona-mine": 1.0, "skill-baking": 0.7}
    assert ("nearest-skills", "activate", "skill-baking") in fired(routing)
    far = await answerer.route(somebody.question("Who wrote the constitution?"))
    assert mixture(far) == {"persona-mine": 1.0}
    assert routing.facts is not None
    assert len(routing.facts["measured"]["similarities"]) == 4, "two skills, and the clusters they rest on"


async def test_rules_look_at_language_time_flags_settings_and_clusters(
    log: Log, answerer: Answerer, embedder: Embedder
) -> None:
    hour, activate = datetime.now(UTC).hour, {"action": "activate", "adapters": "true"}
    body = policy(
        {"when": "language(question) == 'de'", "then": [says("Answer in German.")]},
        {"when": f"hour() == {hour} or hour() == {(hour + 1) % 24}", "then": [says("Now.")]},
        {"when": "flag('everybody') and not flag('nobody')", "then": [says("Flag.")]},
        {"when": "setting('theme') == 'system'", "then": [says("Setting.")]},
        {"when": "cluster() == 'baking'", "then": [says("Cluster.")]},
        {"when": "similarity('baking') > 0.5", "then": [activate], "last": True},
        {"then": [says("Never reached.")]},
        flags={"everybody": 1, "nobody": 0},
    )  # fmt: skip
    somebody = Somebody(log, tenant=await tenant_with(log, body))
    bread = await embedder.embed(["Wie backe ich Brot mit Sauerteig?"])
    await somebody.skill("baking", bread[0].tolist())
    routing = await answerer.route(somebody.question("Wie backe ich ein Brot mit Sauerteig?"))
    assert routing.instructions == ("Answer in German.", "Now.", "Flag.", "Setting.", "Cluster.")
    assert mixture(routing) == {"skill-baking": 1.0}


async def test_guard_rails_hold_against_any_rule_and_say_so(log: Log, answerer: Answerer) -> None:
    body = policy(
        {"then": [{"action": "activate", "adapters": "true", "gate": "9"}]},
        {"then": [{"action": "scale", "adapters": "adapter == 'd'", "by": "0.01"}]},
        {"then": [{"action": "set_gate", "adapters": "adapter == 'c'", "gate": "-1"}]},
        {"then": [says("x" * 60), says("kept")]},
        guards={"adapters": 2, "sum": 1.2, "gate": 1.0, "characters": 20},
    )  # fmt: skip
    somebody = Somebody(log, tenant=await tenant_with(log, body))
    for name in "abcde":
        await somebody.adapter(name, "imported")
    routing = await answerer.route(somebody.question("hello"))
    assert mixture(routing) == {"a": 0.6, "b": 0.6}
    assert routing.instructions == ("kept",)
    said = {(action, target) for rule, action, target in fired(routing) if rule == "guards"}
    assert {("set_gate", "a"), ("deactivate", "d"), ("deactivate", "e"), ("scale", None)} <= said
    assert ("drop_instruction", None) in said


async def test_a_turn_that_is_taken_over_follows_what_was_recorded_though_the_policy_changed(
    log: Log, answerer: Answerer
) -> None:
    tenant = await tenant_with(
        log, policy({"then": [{"action": "activate", "adapters": "true", "gate": "0.25"}]})
    )
    somebody = Somebody(log, tenant=tenant)
    await somebody.adapter("persona-mine")
    question, routing = await somebody.turn(answerer, "hello")
    await Changes(log).edit(Author(tenant, "test"), ROUTING, 1, body=policy())
    again = await answerer.route(question)
    assert (again.policy_version, mixture(again)) == (2, {})
    row = await log.pool.fetchrow("SELECT * FROM read.turns WHERE turn_id = $1", question.turn_id)
    recorded = recorded_routing(row)
    assert recorded is not None
    assert (recorded.policy_version, mixture(recorded)) == (1, {"persona-mine": 0.25})
    assert recorded.rules == routing.rules
    assert recorded.instructions == routing.instructions


async def ends(log: Log) -> dict[int, int]:
    """Where every partition of the log ends."""
    from liminal.log.read import open_reader

    async with open_reader(log.settings) as reader:
        return (await reader.bounds())[1]


async def test_what_if_finds_the_turns_that_would_go_otherwise_and_leaves_the_log_alone(
    log: Log, answerer: Answerer, embedder: Embedder
) -> None:
    tenant = await tenant_with(
        log, policy({"then": [{"action": "activate", "adapters": "kind == 'persona'"}]})
    )
    somebody = Somebody(log, tenant=tenant)
    await somebody.adapter("persona-mine")
    await somebody.rule("always", "be brief")
    short, _ = await somebody.turn(answerer, "hello")
    await somebody.turn(answerer, "tell me everything about the history of bread", without_learning=True)
    long, _ = await somebody.turn(answerer, "tell me everything about the history of bread")
    before = await ends(log)

    async def tried(body: dict[str, Any]) -> Any:
        program = compile_policy(RoutingPolicy.model_validate(body))
        return await what_if(log.pool, embedder, program, Range(tenants=(tenant,)))

    same = await tried(policy({"then": [{"action": "activate", "adapters": "kind == 'persona'"}]}))
    assert (same.turns, same.changed) == (3, 0)
    longer = await tried(
        policy(
            {"then": [{"action": "activate", "adapters": "kind == 'persona'"}]},
            {"name": "long", "when": "words(question) > 3", "then": [
                {"action": "scale", "by": "0.5"}, {"action": "add_instruction", "source": "rules"}]},
        )
    )  # fmt: skip
    assert (longer.turns, longer.changed, dict(longer.by_rule)) == (3, 1, {"long": 1})
    [found] = longer.shown
    assert found.turn_id == long.turn_id
    assert found.differs == ["gates", "instructions"]
    assert (found.before.adapters, found.after.adapters) == ({"persona-mine@1": 1.0}, {"persona-mine@1": 0.5})
    assert "be brief" not in str(longer.as_json()).lower(), "a report has nobody's words"
    assert await ends(log) == before
    assert short.turn_id != long.turn_id


async def test_a_shadow_policy_is_asked_beside_the_live_one_and_decides_nothing(
    log: Log, answerer: Answerer
) -> None:
    tenant = await tenant_with(
        log,
        policy({"when": "length(question) > 10", "then": [{"action": "activate", "adapters": "true"}]}),
        SHADOW,
    )
    somebody = Somebody(log, tenant=tenant)
    await somebody.adapter("brief", "imported")
    _, plain = await somebody.turn(answerer, "hello")
    _, other = await somebody.turn(answerer, "hello, and good morning")
    assert mixture(plain) == mixture(other) == {}
    found = await shadowed(log.pool, Range(tenants=(tenant,)))
    assert (found.turns, found.changed, dict(found.by_kind)) == (2, 1, {"adapters": 1})
    assert found.shown[0].after.adapters == {"brief@1": 1.0}


async def test_an_answer_says_which_rule_and_whose_words_made_it(
    installation: Installation, admin: Person, log: Log, answerer: Answerer
) -> None:
    from tests.steering.answers import answered

    somebody = Somebody(log, id=admin.id)
    adapter_id = await somebody.adapter("persona-admin")
    feedback_id = await somebody.rule("always", "be brief")
    message_id = await answered(somebody, answerer, "hello")
    reply = await admin.browser.get(f"/v1/messages/{message_id}/routing")
    assert reply.status_code == 200, reply.text
    said = reply.json()
    assert (said["policy_id"], said["policy_version"]) == (ROUTING, 1)
    assert [(use["adapter_id"], use["kind"], use["gate"]) for use in said["adapters"]] == [
        (str(adapter_id), "persona", 1.0)
    ]
    assert said["instructions"] == [{"text": "Be brief.", "origin": f"feedback:{feedback_id}"}]
    assert {rule["rule"] for rule in said["rules"]} == {"persona", "own-words"}


def test_the_built_in_policies_pass_their_own_checks() -> None:
    from liminal.steering.kinds import check_body

    for default in DEFAULTS.values():
        assert (
            check_body(default.kind, default.body).model_dump(mode="json", exclude_none=True) == default.body
        )


def test_the_settings_that_a_policy_may_ask_for_are_those_there_are() -> None:
    from liminal.api.settings import AccountSettings
    from liminal.steering.vocabulary import SETTINGS

    assert {name: value for name, (_, value) in SETTINGS.items()} == AccountSettings().model_dump()
