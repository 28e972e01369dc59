"""A model provider on the loopback that plays a script, so that the real agent CLIs run in tests without credentials.

The CLI under test is the vendor's own program; only the model behind it is scripted. That shows what a stub agent
cannot: the true stream, the true exit codes, the true behaviour on resume, limits, denials and provider errors.
"""

from tests.modelserver.script import Fault, Rule, Script, Turn, call, say
from tests.modelserver.server import ModelServer, Request

__all__ = ["Fault", "ModelServer", "Request", "Rule", "Script", "Turn", "call", "say"]
