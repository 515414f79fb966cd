from .abc_pafpn import ABCPAFPN
from .grown_pafpn import GrownPAFPN

__all__ = ['ABCPAFPN', 'GrownPAFPN']
