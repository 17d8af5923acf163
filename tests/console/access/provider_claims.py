"""What the provider tells of a user."""

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator

from console.access.provider import CURRENT


class Validator(OAuth2Validator):
    """Name and groups beside what the protocol asks for."""

    oidc_claim_scope = None  # all claims, whatever the scope

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        name = request.user.username
        return {"preferred_username": CURRENT.names.get(name, name), "groups": list(CURRENT.groups[name])}
