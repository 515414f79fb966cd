from .abc_pafpn import ABCPAFPN
from .trimmed_pafpn import TrimmedPAFPN

__all__ = ['ABCPAFPN', 'TrimmedPAFPN']
