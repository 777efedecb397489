#!/usr/bin/env python3
"""Validates every example against config/sekisho.schema.json (Debian: python3-jsonschema) and shows that the schema refuses
what the gateway refuses: each mutation below must be found invalid. Exit 0 when all is as it should be."""
import copy
import json
import pathlib
import re
import sys

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "config/sekisho.schema.json").read_text(encoding="utf-8"))
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.S)


def load(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(TOKEN.sub(lambda m: m.group() if m.group()[0] == '"' else " ", text))


def validator(included):
    schema = SCHEMA
    if included:
        schema = {"$schema": SCHEMA["$schema"], "$ref": "#/$defs/included_file", "$defs": SCHEMA["$defs"]}
    return jsonschema.Draft202012Validator(schema)


def objects(node):
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from objects(child)


def mutations(document):
    """Every object with a key nobody knows, and every value replaced by one of a wrong type."""
    count = sum(1 for _ in objects(document))
    for i in range(count):
        changed = copy.deepcopy(document)
        node = list(objects(changed))[i]
        node["Unknown_Key"] = 1
        yield changed
        for key in list(list(objects(document))[i]):
            changed = copy.deepcopy(document)
            list(objects(changed))[i][key] = True
            yield changed


def main():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    good = bad = refused = 0
    for path in sorted((ROOT / "config/examples").rglob("*.json")):
        check = validator("facilities.d" in path.parts)
        document = load(path)
        for error in check.iter_errors(document):
            bad += 1
            print(f"{path.relative_to(ROOT)}: {error.json_path}: {error.message}")
        good += 1
        for changed in mutations(document):
            if check.is_valid(changed):
                bad += 1
                print(f"{path.relative_to(ROOT)}: the schema accepts a mutation: {json.dumps(changed, ensure_ascii=False)[:200]}")
            refused += 1
    print(f"schema: {good} examples valid, {refused} mutations refused, {bad} findings")
    return 1 if bad or good < 5 or refused < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
