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
TRADE_RETCODE_REJECT = 10006
TRADE_RETCODE_DONE = 10009
TRADE_RETCODE_INVALID = 10013
TRADE_RETCODE_INVALID_VOLUME = 10014
TRADE_RETCODE_PRICE_OFF = 10021

TRADE_RETCODES = {
    0: "no request yet",
    TRADE_RETCODE_REJECT: "request rejected",
    TRADE_RETCODE_DONE: "request completed",
    TRADE_RETCODE_INVALID: "invalid request",
    TRADE_RETCODE_INVALID_VOLUME: "invalid volume in the request",
    TRADE_RETCODE_PRICE_OFF: "no quotes to process the request",
}
