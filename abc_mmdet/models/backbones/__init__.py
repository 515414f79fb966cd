from .maxvit_rnn import MaxViTRNN

__all__ = ['MaxViTRNN']
