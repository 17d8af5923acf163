"""The parts of the manual that are made from the code: the table of rights, the reference of the API.

`python -m console.manual`, in tests/, writes them anew.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from embargo.console.access.rights import RIGHTS, Right, Role
from embargo.console.api.openapi import document

ROOT = Path(__file__).parents[2]
CONSOLE, API = ROOT / "docs/reference/console.md", ROOT / "docs/reference/api.md"
BEGIN, END = "<!-- made from the code -->", "<!-- until here -->"
MEANINGS = {
    Right.OWN: "one's own account: password, second factor, sessions, API tokens",
    Right.COUNTS: "numbers and charts, the catalogue; clients and users masked",
    Right.REPORTS: "a period as a report; clients and users masked",
    Right.ROWS: "single records, with clients and users",
    Right.EXPORT: "records as a file",
    Right.MARK: "mark a record: fine, a question, wrong",
    Right.SIGN_OFF: "sign a period off, in the sealed log",
    Right.UNMASK: "the address behind a pseudonym, with a reason",
    Right.HEALTH: "status of the proxies",
    Right.OPERATE: "reload",
    Right.EXCEPTIONS: "which exceptions there are",
    Right.EXCEPTION_ASK: "ask for one",
    Right.EXCEPTION_GRANT: "grant one, end one",
    Right.POLICY: "the policy in force, and its history",
    Right.POLICY_TRY: "check a text, and see what it would change",
    Right.USERS: "accounts, sessions, tokens",
    Right.USERS_MANAGE: "add, change and disable accounts",
    Right.RETENTION: "how long what is kept, and holds",
    Right.RETENTION_MANAGE: "change that",
}


def rights() -> str:
    """The table of rights."""
    lines = [f"| right | allows | {' | '.join(Role)} |", f"| --- | --- |{' --- |' * len(Role)}"]
    for right, meaning in MEANINGS.items():
        cells = " | ".join("yes" if right in RIGHTS[role] else "–" for role in Role)
        lines.append(f"| `{right}` | {meaning} | {cells} |")
    return "\n".join(lines)


def api() -> str:
    """The operations of the API, and its schemas."""
    return "\n".join(_api(document()))


def _api(described: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            right = operation["x-right"]
            need = "No token needed." if right == "anyone" else f"Needs the right `{right}`."
            yield f"### `{method.upper()} {path}`\n"
            yield f"{operation['summary']}. {need}\n"
            if parameters := operation.get("parameters"):
                yield "| parameter | type | meaning |"
                yield "| --- | --- | --- |"
                for parameter in parameters:
                    where = ", in the path" if parameter["in"] == "path" else ""
                    must = ", required" if parameter.get("required") and not where else ""
                    kind = _type(parameter["schema"])
                    yield f"| `{parameter['name']}` | {kind}{where}{must} | {_cell(parameter['description'])} |"
                yield ""
            if body := operation.get("requestBody"):
                yield f"Send {_link(body['content']['application/json']['schema'])}.\n"
            yield _answers(operation["responses"])
    for name, schema in described["components"]["schemas"].items():
        yield f"### {name}\n"
        if "description" in schema:
            yield f"{schema['description']}.\n"
        if properties := schema.get("properties"):
            required = schema.get("required", ())
            yield "| member | type | meaning |"
            yield "| --- | --- | --- |"
            for member, found in properties.items():
                note = "" if member in required else "may be left out"
                text = "; ".join(part for part in (_cell(found.get("description", "")), note) if part)
                yield f"| `{member}` | {_type(found)} | {text} |"
            yield ""


def _answers(responses: Mapping[str, Any]) -> str:
    """The answers in a sentence, and the statuses that tell a problem."""
    good, bad = [], []
    for status, response in responses.items():
        schema = response["content"].get("application/json", {}).get("schema")
        if schema is None:
            bad.append(status)
        else:
            good.append(f"{status}: {_link(schema)}" + ("" if status == "200" else f" ({response['description']})"))
    return f"Answers {'; '.join(good)}. Problems: {', '.join(bad)}.\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _link(schema)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if kinds == ["array"]:
        item = schema["items"]
        if item.get("properties"):
            return "list of objects: " + ", ".join(f"`{name}`" for name in item["properties"])
        return f"list of {_type(item)}"
    words = {"string": "text", "integer": "number", "boolean": "true, false", "object": "object", "null": "null"}
    text = " or ".join(words[kind] for kind in kinds)
    if "maximum" in schema and schema["maximum"] < 10_000:
        text += f", {schema['minimum']} to {schema['maximum']}"
    if "default" in schema:
        text += f"; usual {str(schema['default']).lower()}"
    if schema.get("format") == "date-time":
        text = text.replace("text", "time")
    if schema.get("properties"):
        text = "object: " + ", ".join(f"`{name}`" for name in schema["properties"])
    return text


def _link(schema: Mapping[str, Any]) -> str:
    name = schema["$ref"].rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def written(page: Path) -> str:
    """What stands in *page* between the marks."""
    return page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def write(page: Path, text: str) -> None:
    """Put *text* between the marks of *page*."""
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    page.write_text(f"{head}{BEGIN}\n\n{text.strip()}\n\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    write(CONSOLE, rights())
    write(API, api())
