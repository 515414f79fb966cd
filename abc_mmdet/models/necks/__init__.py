from .abc_pafpn import ABCPAFPN

__all__ = ['ABCPAFPN']
