"""
A connection of jh2, with what RFC 9113 says where jh2 has another mind.
"""

from __future__ import annotations

from typing import Any

from jh2.config import H2Configuration
from jh2.connection import H2Connection, OversizedHeaderListError
from jh2.errors import ErrorCodes
from jh2.exceptions import ProtocolError
from jh2.settings import SettingCodes, Settings

from ..http1.heads import MAX_HEAD
from .outbound import MAX_FRAME, MAX_STREAMS, STREAM_WINDOW

#: Bytes of the tables of HPACK, and what a side allows that has not sent its settings (RFC 9113 §6.5.2).  jh2 takes
#: the settings of Chrome for granted, and would send more than other clients allow.
_TABLE_SIZE = 4096
_DEFAULTS = {SettingCodes.HEADER_TABLE_SIZE: _TABLE_SIZE, SettingCodes.INITIAL_WINDOW_SIZE: 65_535}


class _Decoder:
    """Decodes field blocks; jh2 would call their errors PROTOCOL_ERROR (RFC 9113 §4.3)."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    def decode(self, data: bytes, raw: bool) -> Any:
        """
        Decode a block.

        :raises ProtocolError: when it cannot be decoded.
        """
        try:
            return self._decoder.decode(data, raw=raw)
        except OversizedHeaderListError:
            raise  # jh2 ends the connection with ENHANCE_YOUR_CALM
        except BaseException as error:
            # jh2's decoder panics, which is no Exception, at a block that ends behind a name.
            panic = type(error).__name__ == "PanicException"
            if not panic and not isinstance(error, Exception):
                raise
            wrong = ProtocolError(f"a field block cannot be decoded: {'it ends too early' if panic else error}")
            wrong.error_code = ErrorCodes.COMPRESSION_ERROR
            raise wrong from error


def new_connection(client: bool) -> H2Connection:
    """
    A connection that has sent nothing.

    It does not check the fields of heads, because jh2 ends the connection for a malformed one: `heads` does.

    :param client: whether it is the client's end.
    """
    own = {SettingCodes.ENABLE_PUSH: 0} if client else {SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS}
    connection = H2Connection(
        H2Configuration(
            client_side=client,
            header_encoding=False,
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
        )
    )
    connection.local_settings = Settings(
        client=client,
        initial_values={
            **own,
            SettingCodes.HEADER_TABLE_SIZE: _TABLE_SIZE,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD,
            SettingCodes.MAX_FRAME_SIZE: MAX_FRAME,
        },
    )
    connection.remote_settings = Settings(client=not client, initial_values=_DEFAULTS)
    connection.max_inbound_frame_size = MAX_FRAME
    decoder = connection.decoder
    decoder.max_header_list_size = MAX_HEAD
    decoder.max_allowed_table_size = _TABLE_SIZE
    connection.decoder = _Decoder(decoder)
    return connection
