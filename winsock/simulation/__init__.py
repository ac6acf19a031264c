"""A network, hosts and a clock in memory, behind the calls of winsock: see notes/simulation.md."""

from __future__ import annotations

from .dispatch import running_process as running_process
from .errors import BusyLoop as BusyLoop
from .errors import Killed as Killed
from .errors import NothingCanHappen as NothingCanHappen
from .errors import RealWorldCall as RealWorldCall
from .errors import SimulationError as SimulationError
from .fault_methods import ActiveFault as ActiveFault
from .faults import Fault as Fault
from .faults import format_script as format_script
from .faults import parse_script as parse_script
from .hosts import Host as Host
from .links import LinkSettings as LinkSettings
from .network import Network as Network
from .process import Process as Process

__all__ = [
    "ActiveFault",
    "BusyLoop",
    "Fault",
    "Host",
    "Killed",
    "LinkSettings",
    "Network",
    "NothingCanHappen",
    "Process",
    "RealWorldCall",
    "SimulationError",
    "format_script",
    "parse_script",
    "running_process",
]
