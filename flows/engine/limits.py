"""Every bound of the engine, by name, with its reason."""

MAX_NODES = 500
"""The editor, the checks and the approver's eye stay usable up to here."""

MAX_NODE_NUMBER = 1_000_000
"""Numbers are never reused, and they have to fit a database column."""

MAX_CONTENT_BYTES = 1024 * 1024
"""A flow file or a sealed content: larger is data, which belongs behind an API."""

MAX_SYNC_STEPS = 200
"""A caller waits for these; a loop that needs more belongs on an asynchronous route."""

MAX_ASYNC_STEPS = 1_000
"""Bounds a loop that never meets its condition."""

MAX_VARIABLES_BYTES = 1024 * 1024
"""Variables and outputs of one run together: they are written at every checkpoint."""

MAX_JSON_DEPTH = 64
"""Deeper JSON is an attack on recursion, not data."""

MAX_SHOWN_CHARS = 64 * 1024
"""Of one setting's value that the trace of a step shows: a loop over a large payload would write it down every time."""

MAX_EXPRESSION_CHARS = 4_096
"""One expression, that is the text between two braces."""

MAX_TEMPLATE_CHARS = 64 * 1024
"""One templated text of an author, references included."""

MAX_REFERENCES = 1_000
"""References in the settings of one step, or in one endpoint: what is to be compiled for it."""

MAX_STEP_EXPRESSION_CHARS = 16 * 1024
"""Between all the braces of one step: well below a tenth of a second of compiling."""

MAX_FLOW_EXPRESSION_CHARS = 128 * 1024
"""Between all the braces of a flow: half a second of compiling, once for a version."""

MAX_EXPRESSION_DEPTH = 32
"""Nesting of one expression; keeps compiling and evaluating off Python's recursion limit."""

MAX_RENDERED_CHARS = 256 * 1024
"""The text that one template may become."""

MAX_VALUE_CHARS = 2 * 1024 * 1024
"""The JSON that a tree of templates may become: a whole request, and as much again."""

MAX_NUMBER_DIGITS = 64
"""Digits of a literal or of a number that takes part in arithmetic; results carry 28."""

MAX_WORK = 150_000
"""Units of work of one run: one per operation, one per value that is looked at, one per 64 characters produced."""

MAX_STEP_WORK = 60_000
"""Units of one step, well below a tenth of a second: what one author wrote in one place holds up nobody else."""

MAX_PATTERN_CHARS = 1_000
"""A regular expression of an author."""

MAX_MATCH_CHARS = 64 * 1024
"""The text a regular expression is tried on."""
