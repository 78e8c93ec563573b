"""pip, answered by Blast: `pip ...` and `python -m pip ...` run `blast pip ...` on the environment of this Python.

Put here by Blast where no package brings the real one; [hooks] pip_mode of blast.toml says so, and `real` leaves it out.
"""
import os
import sys

__version__ = "25.0"  # whose command line is spoken; see blast-pip(1)


def program():
    """The path of blast: as the environment's generation recorded it, else a word for PATH."""
    try:
        with open(os.path.join(sys.prefix, ".current", ".inuse")) as f:
            for line in f:
                if line.startswith("blast=") and os.access(line[6:-1], os.X_OK):
                    return line[6:-1]
    except (OSError, ValueError):
        pass
    return "blast"


def main(args=None):
    """Does not return: this process becomes blast."""
    args = sys.argv[1:] if args is None else list(args)
    os.environ["BLAST_ACTOR"] = "pip"
    try:
        os.execvp(program(), ["blast", "--project", os.path.dirname(sys.prefix), "pip"] + args)
    except OSError as e:
        sys.exit("pip: blast, which keeps this environment, cannot be run: %s\n"
                 "hint: put blast into PATH, or get pip itself with: %s -m ensurepip" % (e, sys.executable))


if __name__ == "__main__":
    main()
