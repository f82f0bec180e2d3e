"""/v1/settings: what an account prefers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.schema import Body, View

settings = Noun("settings")


class AccountSettings(View):
    """An account's preferences; absent ones have the default shown here."""

    theme: Literal["system", "light", "dark"] = "system"
    language: str = "en"
    send_on_enter: bool = True
    learn_from_feedback: bool = True
    custom_instructions: str = ""


class AccountSettingsPatch(Body):
    """What to change; absent fields stay."""

    theme: Literal["system", "light", "dark"] | None = None
    language: str | None = Field(default=None, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)
    send_on_enter: bool | None = None
    learn_from_feedback: bool | None = None
    custom_instructions: str | None = Field(default=None, max_length=8000)


@settings.route("GET", "/v1/settings", action="settings.read", reply=AccountSettings)
async def get_settings(call: Call) -> AccountSettings:
    """The caller's preferences."""
    stored = await call.services.identity.preferences.of_account(call.actor.account_id)
    return AccountSettings.model_validate(stored)


@settings.route("PATCH", "/v1/settings", action="settings.change", reply=AccountSettings)
async def change_settings(call: Call, json: AccountSettingsPatch) -> AccountSettings:
    """Change some of the caller's preferences."""
    changes = json.model_dump(exclude_none=True)
    stored = await call.services.identity.preferences.change(call.actor, changes)
    return AccountSettings.model_validate(stored)
