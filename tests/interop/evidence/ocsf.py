"""Validates OCSF records against JSON Schemas of OCSF 1.8.0, where there are any.

Usage: ocsf.py RECORDS.jsonl [SCHEMA_FOLDER]   (or the variable CAIRN_OCSF_SCHEMAS)
The folder holds `<class>.schema.json`, each with a constant `class_uid`.
"""

import glob
import json
import os
import sys


def main():
    folder = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("CAIRN_OCSF_SCHEMAS", "")
    paths = glob.glob(os.path.join(folder, "*.schema.json")) if folder else []
    if not paths:
        print("skipped: no OCSF schemas (set CAIRN_OCSF_SCHEMAS)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    import jsonschema_rs

    validators = {}
    for path in paths:
        schema = json.load(open(path))
        uid = schema["properties"]["class_uid"].get("const")
        validators[uid] = jsonschema_rs.validator_for(schema)
    passed = failed = 0
    seen = set()
    for line in open(sys.argv[1]):
        record = json.loads(line)
        validator = validators.get(record["class_uid"])
        errors = [str(error) for error in validator.iter_errors(record)][:2] if validator else ["no schema"]
        seen.add(record["class_uid"])
        if errors:
            failed += 1
            if failed <= 5:
                print(f"FAIL {record['metadata']['uid']} class {record['class_uid']}: {errors}")
        else:
            passed += 1
    print(f"classes seen: {sorted(seen)}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
