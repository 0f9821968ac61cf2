"""
The command ``sttproxy service``: a service of launchd or systemd for this installation.

=================  ====================================================================================
``options``        the command lines
``command``        what they do
``place``          where the files of a service are, and the commands that load it, by system and scope
``files``          the texts of these files, made from ``templates/``
``record``         what was written, so that exactly that can be taken away
=================  ====================================================================================
"""
