"""`python -m tests.chaos --seeds 0:50`: a storm a seed, one line each.

Exit code 1 when an invariant does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.storm import weather


def main() -> int:
    flags = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0]
    )
    flags.add_argument("--seeds", default="0:3", help="FIRST:END, or one seed")
    flags.add_argument("--keep", type=Path, help="folder that keeps what each storm has left")
    given = flags.parse_args()
    first, _, end = given.seeds.partition(":")
    failed = 0
    for seed in range(int(first), int(end or int(first) + 1)):
        with tempfile.TemporaryDirectory() as temporary:
            outcome = weather((given.keep or Path(temporary)) / f"seed-{seed}", seed)
        failed += bool(outcome.problems)
        shown = "holds" if not outcome.problems else "; ".join(outcome.problems)
        acts = f"{len(outcome.acts)} acts ({', '.join(sorted(set(outcome.acts)))})"
        sys.stdout.write(
            f"seed {seed}: {outcome.seconds:.0f} s, {acts}, "
            f"{outcome.asked_again} asked again: {shown}\n"
        )
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
