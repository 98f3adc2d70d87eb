"""The words that cards say by themselves, in the languages cards are shipped in."""

from collections.abc import Mapping
from functools import lru_cache

from loyalty_graph.ledger.kinds import Forgiveness, Kind
from loyalty_graph.subscriptions.rules import Status

FALLBACK = "en"
LANGUAGES = ("en", "de", "tr", "ar")
LOCALES_CACHED = 256
ENDED = "ENDED"

# Gettext files would be one more format for a dozen words; these stand side by side, so that a
# missing one is seen at once.
_WORDS: Mapping[str, tuple[str, str, str, str]] = {
    ENDED: (
        "This membership has ended.",
        "Diese Mitgliedschaft ist beendet.",
        "Bu üyelik sona erdi.",
        "انتهت هذه العضوية.",
    ),
    Kind.EARN: ("earned", "gesammelt", "kazanıldı", "مكتسبة"),
    Kind.REDEEM: ("spent", "eingelöst", "harcandı", "مستخدمة"),
    Kind.UNREDEEM: ("given back", "zurückgegeben", "geri verildi", "مُعادة"),
    Kind.HOLD: ("set aside", "zurückgelegt", "ayrıldı", "محجوزة"),
    Kind.CAPTURE: (
        "set aside before, now spent",
        "zuvor zurückgelegt, jetzt eingelöst",
        "önceden ayrılmıştı, şimdi harcandı",
        "كانت محجوزة واستُخدمت الآن",
    ),
    Kind.RELEASE: (
        "no longer set aside",
        "nicht mehr zurückgelegt",
        "artık ayrılmış değil",
        "لم تعد محجوزة",
    ),
    Kind.EARN_PENDING: ("waiting", "vorgemerkt", "bekliyor", "قيد الانتظار"),
    Kind.ACTIVATE: ("yours now", "jetzt verfügbar", "artık sizin", "متاحة الآن"),
    Kind.CANCEL: (
        "cancelled for a return",
        "wegen einer Rückgabe gestrichen",
        "iade nedeniyle iptal edildi",
        "ملغاة بسبب إرجاع",
    ),
    Kind.REVERSE: (
        "taken back for a return",
        "wegen einer Rückgabe abgezogen",
        "iade nedeniyle geri alındı",
        "مخصومة بسبب إرجاع",
    ),
    Forgiveness.FORGIVEN: ("forgiven", "erlassen", "silindi", "مُعفاة"),
    Forgiveness.RECLAIMED: (
        "no longer forgiven",
        "nicht mehr erlassen",
        "artık silinmiş değil",
        "لم تعد مُعفاة",
    ),
    Kind.TRANSFER_OUT: ("given away", "weitergegeben", "devredildi", "محوّلة إلى عضو آخر"),
    Kind.TRANSFER_IN: ("received", "erhalten", "alındı", "مستلمة"),
    Kind.MERGE_OUT: (
        "moved to another account",
        "auf ein anderes Konto übertragen",
        "başka bir hesaba taşındı",
        "منقولة إلى حساب آخر",
    ),
    Kind.MERGE_IN: (
        "from another account",
        "von einem anderen Konto",
        "başka bir hesaptan",
        "من حساب آخر",
    ),
    Kind.MIGRATE: ("brought along", "mitgebracht", "aktarıldı", "منقولة من النظام السابق"),
    Kind.REINSTATE: ("valid again", "wieder gültig", "yeniden geçerli", "صالحة من جديد"),
    Kind.EXPIRE: ("expired", "verfallen", "süresi doldu", "منتهية"),
    Kind.ADJUST: ("adjusted by hand", "von Hand angepasst", "elle düzeltildi", "معدّلة يدويًا"),
    Status.INCOMPLETE: ("Awaiting payment", "Zahlung offen", "Ödeme bekleniyor", "بانتظار الدفع"),
    Status.TRIALING: ("Trial", "Testphase", "Deneme", "فترة تجريبية"),
    Status.ACTIVE: ("Active", "Aktiv", "Etkin", "نشطة"),
    Status.PAST_DUE: ("Payment due", "Zahlung fällig", "Ödeme gecikti", "الدفع مستحق"),
    Status.PAUSED: ("Paused", "Pausiert", "Duraklatıldı", "متوقفة مؤقتًا"),
    Status.CANCELLED: ("Cancelled", "Gekündigt", "İptal edildi", "ملغاة"),
    Status.EXPIRED: ("Ended", "Beendet", "Sona erdi", "منتهية"),
}


def word(key: str, locale: str) -> str:
    """Return what a card says, in the language of a locale; in English if it speaks another."""
    return _WORDS[key][LANGUAGES.index(language(locale, LANGUAGES))]


@lru_cache(LOCALES_CACHED)
def language(locale: str, known: tuple[str, ...]) -> str:
    """Return the nearest known language of a locale (pt_BR is pt-BR, else pt), else English."""
    parts = locale.split("_")
    nearest = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((one for one in nearest if one in known), FALLBACK)
