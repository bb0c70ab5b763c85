"""What goes over the wire when a person signs in with a browser."""

from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter

from dialer.api.models import Answer, Request
from dialer.campaign.role import Role


class SignIn(Request):
    """The token to sign in with."""

    token: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]


class SessionAccount(Answer):
    """Whose data is shown."""

    id: int
    name: str


class Session(Answer):
    """Who asks; where nobody is signed in and a token is needed, the rest is null."""

    signed_in: bool
    token_needed: bool = Field(description="whether requests without a token are refused")
    account: SessionAccount | None = None
    role: Role | None = None
    token: str | None = Field(default=None, description="the name of the token, not its secret")
    runs_instance: bool = Field(
        default=False, description="whether the account is the one that steers trunks"
    )


SIGN_IN: TypeAdapter[SignIn] = TypeAdapter(SignIn)
