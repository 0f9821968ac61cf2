"""
The values that transcription servers know, for lint warnings.

The languages are Whisper's (openai/whisper, ``whisper/tokenizer.py``).  The formats and granularities are from OpenAI's
API reference for ``POST /v1/audio/transcriptions``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def _table(text: str) -> dict[str, str]:
    """A dict of the pairs in a text like ``en:english zh:chinese``."""
    return dict(pair.split(":") for pair in text.split())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Whisper's languages by the code that servers accept.
LANGUAGES = _table(
    """
    af:afrikaans am:amharic ar:arabic as:assamese az:azerbaijani ba:bashkir be:belarusian bg:bulgarian
    bn:bengali bo:tibetan br:breton bs:bosnian ca:catalan cs:czech cy:welsh da:danish de:german el:greek
    en:english es:spanish et:estonian eu:basque fa:persian fi:finnish fo:faroese fr:french gl:galician
    gu:gujarati ha:hausa haw:hawaiian he:hebrew hi:hindi hr:croatian ht:haitian-creole hu:hungarian hy:armenian
    id:indonesian is:icelandic it:italian ja:japanese jw:javanese ka:georgian kk:kazakh km:khmer kn:kannada
    ko:korean la:latin lb:luxembourgish ln:lingala lo:lao lt:lithuanian lv:latvian mg:malagasy mi:maori
    mk:macedonian ml:malayalam mn:mongolian mr:marathi ms:malay mt:maltese my:myanmar ne:nepali nl:dutch
    nn:nynorsk no:norwegian oc:occitan pa:punjabi pl:polish ps:pashto pt:portuguese ro:romanian ru:russian
    sa:sanskrit sd:sindhi si:sinhala sk:slovak sl:slovenian sn:shona so:somali sq:albanian sr:serbian
    su:sundanese sv:swedish sw:swahili ta:tamil te:telugu tg:tajik th:thai tk:turkmen tl:tagalog tr:turkish
    tt:tatar uk:ukrainian ur:urdu uz:uzbek vi:vietnamese yi:yiddish yo:yoruba yue:cantonese zh:chinese
    """
)
FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
GRANULARITIES = ("word", "segment")

#: The fields that well-known servers read at paths that are not OpenAI's, besides those of MLX Omni Server.
_READ_AT = {
    # whisper.cpp, ``examples/server/server.cpp``
    "/inference": _words(
        """
        offset_t offset_n duration max_context max_len best_of beam_size audio_ctx word_thold entropy_thold
        logprob_thold no_speech_thold debug_mode translate diarize tinydiarize split_on_word no_timestamps
        token_timestamps detect_language carry_initial_prompt temperature_inc suppress_non_speech suppress_nst vad
        vad_threshold vad_min_speech_duration_ms vad_min_silence_duration_ms vad_max_speech_duration_s
        vad_speech_pad_ms vad_samples_overlap no_language_probabilities
        """
    ),
    # whisper-asr-webservice, ``app/webservice.py``
    "/asr": _words("encode task initial_prompt vad_filter word_timestamps diarize min_speakers max_speakers output"),
}

#: What people write instead of a language's code: a country's code, an old or a longer code, another name.
_MEANT = {name: code for code, name in LANGUAGES.items()} | _table(
    """
    cn:zh chi:zh zho:zh cmn:zh mandarin:zh tw:zh hk:yue jp:ja jpn:ja kr:ko kor:ko vn:vi cz:cs dk:da se:sv gr:el ua:uk
    sp:es spa:es eng:en us:en gb:en ger:de deu:de fra:fr fre:fr rus:ru por:pt iw:he in:id jv:jw nb:no farsi:fa
    castilian:es flemish:nl burmese:my
    """
)


def may_read(path: str, field: str) -> bool:
    """Whether a server may read a field at a listed path.  At a path that is not known here it may read any field."""
    known = [fields for end, fields in _READ_AT.items() if path.endswith(end)]
    return not known or any(field in fields for fields in known)


def meant_language(text: str) -> str:
    """The code of the language that a text probably means; empty if no language is similar."""
    folded = text.strip().casefold().replace("_", "-")
    for candidate in (folded, folded.partition("-")[0]):
        if candidate in LANGUAGES:
            return candidate
        if candidate in _MEANT:
            return _MEANT[candidate]
    return next((_MEANT[name] for name in difflib.get_close_matches(folded, LANGUAGES.values(), 1, 0.8)), "")


def meant(text: str, known: Iterable[str]) -> str:
    """The known value that a text probably means; empty if no value is similar."""
    return next(iter(difflib.get_close_matches(text.strip().casefold(), [*known], 1, 0.5)), "")
