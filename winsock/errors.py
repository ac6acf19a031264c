"""Winsock's error codes with Microsoft's one-line meanings.

Source: https://learn.microsoft.com/en-us/windows/win32/winsock/windows-sockets-error-codes-2
"""

from enum import IntEnum


class WSAError(IntEnum):
    """Every error code of Winsock; the attribute `meaning` is its text: `WSAError(10035).meaning`."""

    _value_: int
    meaning: str

    def __new__(cls, code: int, meaning: str = "") -> "WSAError":
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    WSA_INVALID_HANDLE = 6, "Specified event object handle is invalid."
    WSA_NOT_ENOUGH_MEMORY = 8, "Insufficient memory available."
    WSA_INVALID_PARAMETER = 87, "One or more parameters are invalid."
    WSA_OPERATION_ABORTED = 995, "Overlapped operation aborted."
    WSA_IO_INCOMPLETE = 996, "Overlapped I/O event object not in signaled state."
    WSA_IO_PENDING = 997, "Overlapped operations will complete later."
    WSAEINTR = 10004, "Interrupted function call."
    WSAEBADF = 10009, "File handle is not valid."
    WSAEACCES = 10013, "Permission denied."
    WSAEFAULT = 10014, "Bad address."
    WSAEINVAL = 10022, "Invalid argument."
    WSAEMFILE = 10024, "Too many open files."
    WSAEWOULDBLOCK = 10035, "Resource temporarily unavailable."
    WSAEINPROGRESS = 10036, "Operation now in progress."
    WSAEALREADY = 10037, "Operation already in progress."
    WSAENOTSOCK = 10038, "Socket operation on nonsocket."
    WSAEDESTADDRREQ = 10039, "Destination address required."
    WSAEMSGSIZE = 10040, "Message too long."
    WSAEPROTOTYPE = 10041, "Protocol wrong type for socket."
    WSAENOPROTOOPT = 10042, "Bad protocol option."
    WSAEPROTONOSUPPORT = 10043, "Protocol not supported."
    WSAESOCKTNOSUPPORT = 10044, "Socket type not supported."
    WSAEOPNOTSUPP = 10045, "Operation not supported."
    WSAEPFNOSUPPORT = 10046, "Protocol family not supported."
    WSAEAFNOSUPPORT = 10047, "Address family not supported by protocol family."
    WSAEADDRINUSE = 10048, "Address already in use."
    WSAEADDRNOTAVAIL = 10049, "Cannot assign requested address."
    WSAENETDOWN = 10050, "Network is down."
    WSAENETUNREACH = 10051, "Network is unreachable."
    WSAENETRESET = 10052, "Network dropped connection on reset."
    WSAECONNABORTED = 10053, "Software caused connection abort."
    WSAECONNRESET = 10054, "Connection reset by peer."
    WSAENOBUFS = 10055, "No buffer space available."
    WSAEISCONN = 10056, "Socket is already connected."
    WSAENOTCONN = 10057, "Socket is not connected."
    WSAESHUTDOWN = 10058, "Cannot send after socket shutdown."
    WSAETOOMANYREFS = 10059, "Too many references."
    WSAETIMEDOUT = 10060, "Connection timed out."
    WSAECONNREFUSED = 10061, "Connection refused."
    WSAELOOP = 10062, "Cannot translate name."
    WSAENAMETOOLONG = 10063, "Name too long."
    WSAEHOSTDOWN = 10064, "Host is down."
    WSAEHOSTUNREACH = 10065, "No route to host."
    WSAENOTEMPTY = 10066, "Directory not empty."
    WSAEPROCLIM = 10067, "Too many processes."
    WSAEUSERS = 10068, "User quota exceeded."
    WSAEDQUOT = 10069, "Disk quota exceeded."
    WSAESTALE = 10070, "Stale file handle reference."
    WSAEREMOTE = 10071, "Item is remote."
    WSASYSNOTREADY = 10091, "Network subsystem is unavailable."
    WSAVERNOTSUPPORTED = 10092, "Winsock.dll version out of range."
    WSANOTINITIALISED = 10093, "Successful WSAStartup not yet performed."
    WSAEDISCON = 10101, "Graceful shutdown in progress."
    WSAENOMORE = 10102, "No more results."
    WSAECANCELLED = 10103, "Call has been canceled."
    WSAEINVALIDPROCTABLE = 10104, "Procedure call table is invalid."
    WSAEINVALIDPROVIDER = 10105, "Service provider is invalid."
    WSAEPROVIDERFAILEDINIT = 10106, "Service provider failed to initialize."
    WSASYSCALLFAILURE = 10107, "System call failure."
    WSASERVICE_NOT_FOUND = 10108, "Service not found."
    WSATYPE_NOT_FOUND = 10109, "Class type not found."
    WSA_E_NO_MORE = 10110, "No more results."
    WSA_E_CANCELLED = 10111, "Call was canceled."
    WSAEREFUSED = 10112, "Database query was refused."
    WSAHOST_NOT_FOUND = 11001, "Host not found."
    WSATRY_AGAIN = 11002, "Nonauthoritative host not found."
    WSANO_RECOVERY = 11003, "This is a nonrecoverable error."
    WSANO_DATA = 11004, "Valid name, no data record of requested type."
    WSA_QOS_RECEIVERS = 11005, "QoS receivers."
    WSA_QOS_SENDERS = 11006, "QoS senders."
    WSA_QOS_NO_SENDERS = 11007, "No QoS senders."
    WSA_QOS_NO_RECEIVERS = 11008, "QoS no receivers."
    WSA_QOS_REQUEST_CONFIRMED = 11009, "QoS request confirmed."
    WSA_QOS_ADMISSION_FAILURE = 11010, "QoS admission error."
    WSA_QOS_POLICY_FAILURE = 11011, "QoS policy failure."
    WSA_QOS_BAD_STYLE = 11012, "QoS bad style."
    WSA_QOS_BAD_OBJECT = 11013, "QoS bad object."
    WSA_QOS_TRAFFIC_CTRL_ERROR = 11014, "QoS traffic control error."
    WSA_QOS_GENERIC_ERROR = 11015, "QoS generic error."
    WSA_QOS_ESERVICETYPE = 11016, "QoS service type error."
    WSA_QOS_EFLOWSPEC = 11017, "QoS flowspec error."
    WSA_QOS_EPROVSPECBUF = 11018, "Invalid QoS provider buffer."
    WSA_QOS_EFILTERSTYLE = 11019, "Invalid QoS filter style."
    WSA_QOS_EFILTERTYPE = 11020, "Invalid QoS filter type."
    WSA_QOS_EFILTERCOUNT = 11021, "Incorrect QoS filter count."
    WSA_QOS_EOBJLENGTH = 11022, "Invalid QoS object length."
    WSA_QOS_EFLOWCOUNT = 11023, "Incorrect QoS flow count."
    WSA_QOS_EUNKOWNPSOBJ = 11024, "Unrecognized QoS object."
    WSA_QOS_EPOLICYOBJ = 11025, "Invalid QoS policy object."
    WSA_QOS_EFLOWDESC = 11026, "Invalid QoS flow descriptor."
    WSA_QOS_EPSFLOWSPEC = 11027, "Invalid QoS provider-specific flowspec."
    WSA_QOS_EPSFILTERSPEC = 11028, "Invalid QoS provider-specific filterspec."
    WSA_QOS_ESDMODEOBJ = 11029, "Invalid QoS shape discard mode object."
    WSA_QOS_ESHAPERATEOBJ = 11030, "Invalid QoS shaping rate object."
    WSA_QOS_RESERVED_PETYPE = 11031, "Reserved policy QoS element type."
    WSA_SECURE_HOST_NOT_FOUND = 11032, "No such host is known securely."
    WSA_IPSEC_NAME_POLICY_ERROR = 11033, "Name based IPSEC policy could not be added."


def WSAErrorDescript(code: int) -> str:
    """Describes an error code in one line: its number, its name and Microsoft's one-line meaning.

    The text for 0 is "(#0) No error.", and for a number N that is not a Winsock error "(#N) Unknown error code."

    Errors: TypeError if `code` is not an int.
    Source: the function of the same name in the article's library, which leaves the error's name out.
    """
    if not isinstance(code, int):
        raise TypeError(f"WSAErrorDescript() argument 'code': an integer is required, not '{type(code).__name__}'")
    if code == 0:
        return "(#0) No error."
    error = _BY_CODE.get(code)
    if error is None:
        # Python refuses to convert a number of more than 4300 digits to decimal digits.
        return f"(#{int(code) if code.bit_length() <= 64 else hex(code)}) Unknown error code."
    return f"(#{int(code)}) {error.name}: {error.meaning}"


_BY_CODE = {int(error): error for error in WSAError}

# The codes as plain ints, for `from winsock import WSAEWOULDBLOCK`.
WSABASEERR = 10000
WSA_INVALID_HANDLE = 6
WSA_NOT_ENOUGH_MEMORY = 8
WSA_INVALID_PARAMETER = 87
WSA_OPERATION_ABORTED = 995
WSA_IO_INCOMPLETE = 996
WSA_IO_PENDING = 997
WSAEINTR = 10004
WSAEBADF = 10009
WSAEACCES = 10013
WSAEFAULT = 10014
WSAEINVAL = 10022
WSAEMFILE = 10024
WSAEWOULDBLOCK = 10035
WSAEINPROGRESS = 10036
WSAEALREADY = 10037
WSAENOTSOCK = 10038
WSAEDESTADDRREQ = 10039
WSAEMSGSIZE = 10040
WSAEPROTOTYPE = 10041
WSAENOPROTOOPT = 10042
WSAEPROTONOSUPPORT = 10043
WSAESOCKTNOSUPPORT = 10044
WSAEOPNOTSUPP = 10045
WSAEPFNOSUPPORT = 10046
WSAEAFNOSUPPORT = 10047
WSAEADDRINUSE = 10048
WSAEADDRNOTAVAIL = 10049
WSAENETDOWN = 10050
WSAENETUNREACH = 10051
WSAENETRESET = 10052
WSAECONNABORTED = 10053
WSAECONNRESET = 10054
WSAENOBUFS = 10055
WSAEISCONN = 10056
WSAENOTCONN = 10057
WSAESHUTDOWN = 10058
WSAETOOMANYREFS = 10059
WSAETIMEDOUT = 10060
WSAECONNREFUSED = 10061
WSAELOOP = 10062
WSAENAMETOOLONG = 10063
WSAEHOSTDOWN = 10064
WSAEHOSTUNREACH = 10065
WSAENOTEMPTY = 10066
WSAEPROCLIM = 10067
WSAEUSERS = 10068
WSAEDQUOT = 10069
WSAESTALE = 10070
WSAEREMOTE = 10071
WSASYSNOTREADY = 10091
WSAVERNOTSUPPORTED = 10092
WSANOTINITIALISED = 10093
WSAEDISCON = 10101
WSAENOMORE = 10102
WSAECANCELLED = 10103
WSAEINVALIDPROCTABLE = 10104
WSAEINVALIDPROVIDER = 10105
WSAEPROVIDERFAILEDINIT = 10106
WSASYSCALLFAILURE = 10107
WSASERVICE_NOT_FOUND = 10108
WSATYPE_NOT_FOUND = 10109
WSA_E_NO_MORE = 10110
WSA_E_CANCELLED = 10111
WSAEREFUSED = 10112
WSAHOST_NOT_FOUND = 11001
WSATRY_AGAIN = 11002
WSANO_RECOVERY = 11003
WSANO_DATA = 11004
WSANO_ADDRESS = WSANO_DATA
WSA_QOS_RECEIVERS = 11005
WSA_QOS_SENDERS = 11006
WSA_QOS_NO_SENDERS = 11007
WSA_QOS_NO_RECEIVERS = 11008
WSA_QOS_REQUEST_CONFIRMED = 11009
WSA_QOS_ADMISSION_FAILURE = 11010
WSA_QOS_POLICY_FAILURE = 11011
WSA_QOS_BAD_STYLE = 11012
WSA_QOS_BAD_OBJECT = 11013
WSA_QOS_TRAFFIC_CTRL_ERROR = 11014
WSA_QOS_GENERIC_ERROR = 11015
WSA_QOS_ESERVICETYPE = 11016
WSA_QOS_EFLOWSPEC = 11017
WSA_QOS_EPROVSPECBUF = 11018
WSA_QOS_EFILTERSTYLE = 11019
WSA_QOS_EFILTERTYPE = 11020
WSA_QOS_EFILTERCOUNT = 11021
WSA_QOS_EOBJLENGTH = 11022
WSA_QOS_EFLOWCOUNT = 11023
WSA_QOS_EUNKOWNPSOBJ = 11024
WSA_QOS_EPOLICYOBJ = 11025
WSA_QOS_EFLOWDESC = 11026
WSA_QOS_EPSFLOWSPEC = 11027
WSA_QOS_EPSFILTERSPEC = 11028
WSA_QOS_ESDMODEOBJ = 11029
WSA_QOS_ESHAPERATEOBJ = 11030
WSA_QOS_RESERVED_PETYPE = 11031
WSA_SECURE_HOST_NOT_FOUND = 11032
WSA_IPSEC_NAME_POLICY_ERROR = 11033

# The errors of gethostbyname under their BSD names.
HOST_NOT_FOUND = WSAHOST_NOT_FOUND
TRY_AGAIN = WSATRY_AGAIN
NO_RECOVERY = WSANO_RECOVERY
NO_DATA = WSANO_DATA
NO_ADDRESS = WSANO_ADDRESS

__all__ = [
    "HOST_NOT_FOUND", "NO_ADDRESS", "NO_DATA", "NO_RECOVERY", "TRY_AGAIN", "WSABASEERR", "WSAEACCES",
    "WSAEADDRINUSE", "WSAEADDRNOTAVAIL", "WSAEAFNOSUPPORT", "WSAEALREADY", "WSAEBADF", "WSAECANCELLED",
    "WSAECONNABORTED", "WSAECONNREFUSED", "WSAECONNRESET", "WSAEDESTADDRREQ", "WSAEDISCON", "WSAEDQUOT",
    "WSAEFAULT", "WSAEHOSTDOWN", "WSAEHOSTUNREACH", "WSAEINPROGRESS", "WSAEINTR", "WSAEINVAL",
    "WSAEINVALIDPROCTABLE", "WSAEINVALIDPROVIDER", "WSAEISCONN", "WSAELOOP", "WSAEMFILE", "WSAEMSGSIZE",
    "WSAENAMETOOLONG", "WSAENETDOWN", "WSAENETRESET", "WSAENETUNREACH", "WSAENOBUFS", "WSAENOMORE",
    "WSAENOPROTOOPT", "WSAENOTCONN", "WSAENOTEMPTY", "WSAENOTSOCK", "WSAEOPNOTSUPP", "WSAEPFNOSUPPORT",
    "WSAEPROCLIM", "WSAEPROTONOSUPPORT", "WSAEPROTOTYPE", "WSAEPROVIDERFAILEDINIT", "WSAEREFUSED", "WSAEREMOTE",
    "WSAESHUTDOWN", "WSAESOCKTNOSUPPORT", "WSAESTALE", "WSAETIMEDOUT", "WSAETOOMANYREFS", "WSAEUSERS",
    "WSAEWOULDBLOCK", "WSAHOST_NOT_FOUND", "WSANOTINITIALISED", "WSANO_ADDRESS", "WSANO_DATA", "WSANO_RECOVERY",
    "WSASERVICE_NOT_FOUND", "WSASYSCALLFAILURE", "WSASYSNOTREADY", "WSATRY_AGAIN", "WSATYPE_NOT_FOUND",
    "WSAVERNOTSUPPORTED", "WSA_E_CANCELLED", "WSA_E_NO_MORE", "WSA_INVALID_HANDLE", "WSA_INVALID_PARAMETER",
    "WSA_IO_INCOMPLETE", "WSA_IO_PENDING", "WSA_IPSEC_NAME_POLICY_ERROR", "WSA_NOT_ENOUGH_MEMORY",
    "WSA_OPERATION_ABORTED", "WSA_QOS_ADMISSION_FAILURE", "WSA_QOS_BAD_OBJECT", "WSA_QOS_BAD_STYLE",
    "WSA_QOS_EFILTERCOUNT", "WSA_QOS_EFILTERSTYLE", "WSA_QOS_EFILTERTYPE", "WSA_QOS_EFLOWCOUNT",
    "WSA_QOS_EFLOWDESC", "WSA_QOS_EFLOWSPEC", "WSA_QOS_EOBJLENGTH", "WSA_QOS_EPOLICYOBJ", "WSA_QOS_EPROVSPECBUF",
    "WSA_QOS_EPSFILTERSPEC", "WSA_QOS_EPSFLOWSPEC", "WSA_QOS_ESDMODEOBJ", "WSA_QOS_ESERVICETYPE",
    "WSA_QOS_ESHAPERATEOBJ", "WSA_QOS_EUNKOWNPSOBJ", "WSA_QOS_GENERIC_ERROR", "WSA_QOS_NO_RECEIVERS",
    "WSA_QOS_NO_SENDERS", "WSA_QOS_POLICY_FAILURE", "WSA_QOS_RECEIVERS", "WSA_QOS_REQUEST_CONFIRMED",
    "WSA_QOS_RESERVED_PETYPE", "WSA_QOS_SENDERS", "WSA_QOS_TRAFFIC_CTRL_ERROR", "WSA_SECURE_HOST_NOT_FOUND",
    "WSAError", "WSAErrorDescript",
]  # fmt: skip
