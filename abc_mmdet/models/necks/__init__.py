from .conv_lstm_adapter import ConvLSTMAdapter
from .yolox_pafpn_variants import ABCPAFPN, TrimmedPAFPN

__all__ = ['ABCPAFPN', 'ConvLSTMAdapter', 'TrimmedPAFPN']
