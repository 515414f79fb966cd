from .abc_pafpn import ABCPAFPN
from .conv_lstm_adapter import ConvLSTMAdapter
from .trimmed_pafpn import TrimmedPAFPN

__all__ = ['ABCPAFPN', 'ConvLSTMAdapter', 'TrimmedPAFPN']
