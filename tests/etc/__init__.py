"""
The files of ``etc/``, each read by the programs that it is for.
"""
