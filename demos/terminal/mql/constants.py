"""MetaTrader's constants, as MQL5's reference groups them."""

# https://www.mql5.com/en/docs/basis/function/events
INIT_SUCCEEDED = 0
INIT_FAILED = 1
INIT_PARAMETERS_INCORRECT = 32767

# https://www.mql5.com/en/docs/constants/namedconstants/uninit
REASON_PROGRAM = 0
REASON_REMOVE = 1
REASON_RECOMPILE = 2
REASON_CHARTCHANGE = 3
REASON_CHARTCLOSE = 4
REASON_PARAMETERS = 5
REASON_ACCOUNT = 6
REASON_TEMPLATE = 7
REASON_INITFAILED = 8
REASON_CLOSE = 9

# https://www.mql5.com/en/docs/constants/chartconstants/enum_timeframes
PERIOD_CURRENT = 0
PERIOD_M1 = 1
PERIOD_M2 = 2
PERIOD_M3 = 3
PERIOD_M4 = 4
PERIOD_M5 = 5
PERIOD_M6 = 6
PERIOD_M10 = 10
PERIOD_M12 = 12
PERIOD_M15 = 15
PERIOD_M20 = 20
PERIOD_M30 = 30
PERIOD_H1 = 16385
PERIOD_H2 = 16386
PERIOD_H3 = 16387
PERIOD_H4 = 16388
PERIOD_H6 = 16390
PERIOD_H8 = 16392
PERIOD_H12 = 16396
PERIOD_D1 = 16408
PERIOD_W1 = 32769
PERIOD_MN1 = 49153

TIMEFRAMES = {
    name.removeprefix("PERIOD_"): value
    for name, value in list(globals().items())
    if name.startswith("PERIOD_") and value != PERIOD_CURRENT
}

# https://www.mql5.com/en/docs/constants/chartconstants/enum_chartevents
CHARTEVENT_KEYDOWN = 0
CHARTEVENT_OBJECT_CREATE = 7
CHARTEVENT_OBJECT_CHANGE = 8
CHARTEVENT_OBJECT_DELETE = 6
CHARTEVENT_CLICK = 4
CHARTEVENT_CHART_CHANGE = 9
CHARTEVENT_CUSTOM = 1000

# https://www.mql5.com/en/docs/constants/objectconstants/enum_object_property
OBJPROP_COLOR = 6
OBJPROP_STYLE = 7
OBJPROP_WIDTH = 8
OBJPROP_BACK = 9
OBJPROP_TIME = 19
OBJPROP_PRICE = 20
OBJPROP_FONTSIZE = 100
OBJPROP_CORNER = 101
OBJPROP_XDISTANCE = 102
OBJPROP_YDISTANCE = 103
OBJPROP_TEXT = 999
OBJPROP_FONT = 1001
OBJPROP_RAY_LEFT = 1003
OBJPROP_RAY_RIGHT = 1004

# https://www.mql5.com/en/docs/constants/io_constants/fileflags
FILE_READ = 1
FILE_WRITE = 2
FILE_BIN = 4
FILE_SHARE_READ = 128
FILE_SHARE_WRITE = 256
FILE_REWRITE = 512
INVALID_HANDLE = -1

# https://www.mql5.com/en/docs/constants/environment_state/terminalstatus
TERMINAL_PATH = 2
TERMINAL_DATA_PATH = 3

# https://www.mql5.com/en/docs/constants/environment_state/marketinfoconstants
SYMBOL_BID = 1
SYMBOL_ASK = 4
SYMBOL_POINT = 16
SYMBOL_TRADE_CONTRACT_SIZE = 28
SYMBOL_VOLUME_MIN = 34
SYMBOL_VOLUME_MAX = 35
SYMBOL_VOLUME_STEP = 36
SYMBOL_TIME = 15
SYMBOL_DIGITS = 17
SYMBOL_SPREAD = 18
SYMBOL_TIME_MSC = 106

# https://www.mql5.com/en/docs/constants/tradingconstants/positionproperties
POSITION_SYMBOL = 0
POSITION_TIME = 1
POSITION_TYPE = 2
POSITION_VOLUME = 3
POSITION_PRICE_OPEN = 4
POSITION_PRICE_CURRENT = 5
POSITION_PROFIT = 10
POSITION_MAGIC = 12
POSITION_IDENTIFIER = 13
POSITION_TIME_MSC = 14
POSITION_TICKET = 17
POSITION_TYPE_BUY = 0
POSITION_TYPE_SELL = 1

# https://www.mql5.com/en/docs/constants/environment_state/accountinformation
ACCOUNT_MARGIN_MODE = 53
ACCOUNT_MARGIN_MODE_RETAIL_NETTING = 0
ACCOUNT_MARGIN_MODE_EXCHANGE = 1
ACCOUNT_MARGIN_MODE_RETAIL_HEDGING = 2

# https://www.mql5.com/en/docs/constants/environment_state/mql5_programm_info
MQL_PROGRAM_NAME = 0

# https://www.mql5.com/en/docs/convert/timetostring
TIME_DATE = 1
TIME_MINUTES = 2
TIME_SECONDS = 4

# https://www.mql5.com/en/docs/constants/errorswarnings/enum_trade_return_codes
TRADE_RETCODE_REQUOTE = 10004
TRADE_RETCODE_REJECT = 10006
TRADE_RETCODE_CANCEL = 10007
TRADE_RETCODE_PLACED = 10008
TRADE_RETCODE_DONE = 10009
TRADE_RETCODE_DONE_PARTIAL = 10010
TRADE_RETCODE_ERROR = 10011
TRADE_RETCODE_TIMEOUT = 10012
TRADE_RETCODE_INVALID = 10013
TRADE_RETCODE_INVALID_VOLUME = 10014
TRADE_RETCODE_INVALID_PRICE = 10015
TRADE_RETCODE_INVALID_STOPS = 10016
TRADE_RETCODE_TRADE_DISABLED = 10017
TRADE_RETCODE_MARKET_CLOSED = 10018
TRADE_RETCODE_NO_MONEY = 10019
TRADE_RETCODE_PRICE_CHANGED = 10020
TRADE_RETCODE_PRICE_OFF = 10021
TRADE_RETCODE_INVALID_EXPIRATION = 10022
TRADE_RETCODE_ORDER_CHANGED = 10023
TRADE_RETCODE_TOO_MANY_REQUESTS = 10024
TRADE_RETCODE_NO_CHANGES = 10025
TRADE_RETCODE_SERVER_DISABLES_AT = 10026
TRADE_RETCODE_CLIENT_DISABLES_AT = 10027
TRADE_RETCODE_LOCKED = 10028
TRADE_RETCODE_FROZEN = 10029
TRADE_RETCODE_INVALID_FILL = 10030
TRADE_RETCODE_CONNECTION = 10031
TRADE_RETCODE_ONLY_REAL = 10032
TRADE_RETCODE_LIMIT_ORDERS = 10033
TRADE_RETCODE_LIMIT_VOLUME = 10034
TRADE_RETCODE_INVALID_ORDER = 10035
TRADE_RETCODE_POSITION_CLOSED = 10036
TRADE_RETCODE_INVALID_CLOSE_VOLUME = 10038
TRADE_RETCODE_CLOSE_ORDER_EXIST = 10039
TRADE_RETCODE_LIMIT_POSITIONS = 10040
TRADE_RETCODE_REJECT_CANCEL = 10041
TRADE_RETCODE_LONG_ONLY = 10042
TRADE_RETCODE_SHORT_ONLY = 10043
TRADE_RETCODE_CLOSE_ONLY = 10044
TRADE_RETCODE_FIFO_CLOSE = 10045
TRADE_RETCODE_HEDGE_PROHIBITED = 10046

TRADE_RETCODES = {
    0: "no request yet",
    TRADE_RETCODE_REQUOTE: "requote",
    TRADE_RETCODE_REJECT: "request rejected",
    TRADE_RETCODE_CANCEL: "request canceled by the trader",
    TRADE_RETCODE_PLACED: "order placed",
    TRADE_RETCODE_DONE: "request completed",
    TRADE_RETCODE_DONE_PARTIAL: "only a part of the request was completed",
    TRADE_RETCODE_ERROR: "request processing error",
    TRADE_RETCODE_TIMEOUT: "request canceled after its time",
    TRADE_RETCODE_INVALID: "invalid request",
    TRADE_RETCODE_INVALID_VOLUME: "invalid volume in the request",
    TRADE_RETCODE_INVALID_PRICE: "invalid price in the request",
    TRADE_RETCODE_INVALID_STOPS: "invalid stops in the request",
    TRADE_RETCODE_TRADE_DISABLED: "trade is disabled",
    TRADE_RETCODE_MARKET_CLOSED: "the market is closed",
    TRADE_RETCODE_NO_MONEY: "not enough money for the request",
    TRADE_RETCODE_PRICE_CHANGED: "prices have changed",
    TRADE_RETCODE_PRICE_OFF: "no quotes to process the request",
    TRADE_RETCODE_INVALID_EXPIRATION: "invalid expiration date in the request",
    TRADE_RETCODE_ORDER_CHANGED: "the order's state has changed",
    TRADE_RETCODE_TOO_MANY_REQUESTS: "too many requests",
    TRADE_RETCODE_NO_CHANGES: "nothing to change in the request",
    TRADE_RETCODE_SERVER_DISABLES_AT: "the server does not allow automatic trading",
    TRADE_RETCODE_CLIENT_DISABLES_AT: "the terminal does not allow automatic trading",
    TRADE_RETCODE_LOCKED: "the request is locked for processing",
    TRADE_RETCODE_FROZEN: "the order or position is frozen",
    TRADE_RETCODE_INVALID_FILL: "invalid filling mode of the order",
    TRADE_RETCODE_CONNECTION: "no connection with the trade server",
    TRADE_RETCODE_ONLY_REAL: "only for real accounts",
    TRADE_RETCODE_LIMIT_ORDERS: "the limit of pending orders is reached",
    TRADE_RETCODE_LIMIT_VOLUME: "the limit of the symbol's volume is reached",
    TRADE_RETCODE_INVALID_ORDER: "wrong or prohibited type of order",
    TRADE_RETCODE_POSITION_CLOSED: "the position is already closed",
    TRADE_RETCODE_INVALID_CLOSE_VOLUME: "the volume to close exceeds the position",
    TRADE_RETCODE_CLOSE_ORDER_EXIST: "an order to close the position exists already",
    TRADE_RETCODE_LIMIT_POSITIONS: "the limit of open positions is reached",
    TRADE_RETCODE_REJECT_CANCEL: "the pending order was rejected and canceled",
    TRADE_RETCODE_LONG_ONLY: "only long positions are allowed",
    TRADE_RETCODE_SHORT_ONLY: "only short positions are allowed",
    TRADE_RETCODE_CLOSE_ONLY: "positions may only be closed",
    TRADE_RETCODE_FIFO_CLOSE: "positions may only be closed in the order of their opening",
    TRADE_RETCODE_HEDGE_PROHIBITED: "opposite positions in one symbol are not allowed",
}
