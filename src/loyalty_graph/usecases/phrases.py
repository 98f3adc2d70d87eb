"""Why points moved: every reason there is, and its sentence in each language."""

from collections.abc import Mapping
from enum import StrEnum

from loyalty_graph.usecases.writing import InLanguages


class Phrase(StrEnum):
    """Why points moved."""

    PURCHASE = "PURCHASE"
    PURCHASE_BY_RULES = "PURCHASE_BY_RULES"
    ACTIVITY = "ACTIVITY"
    WAITING = "WAITING"
    WAITING_FOR_EVENT = "WAITING_FOR_EVENT"
    ACTIVATED = "ACTIVATED"
    CANCELLED_FOR_REFUND = "CANCELLED_FOR_REFUND"
    CANCELLED_FOR_VOID = "CANCELLED_FOR_VOID"
    CANCELLED_BY_HAND = "CANCELLED_BY_HAND"
    SPENT = "SPENT"
    SPENT_FOR_REWARD = "SPENT_FOR_REWARD"
    PAID = "PAID"
    PAID_BACK = "PAID_BACK"
    REDEMPTION_CANCELLED = "REDEMPTION_CANCELLED"
    HELD = "HELD"
    HELD_FOR_REWARD = "HELD_FOR_REWARD"
    HELD_WITH_REASON = "HELD_WITH_REASON"
    CAPTURED = "CAPTURED"
    CAPTURED_FOR_REWARD = "CAPTURED_FOR_REWARD"
    CAPTURED_WITH_REASON = "CAPTURED_WITH_REASON"
    NOT_REDEEMED = "NOT_REDEEMED"
    HOLD_NOT_NEEDED = "HOLD_NOT_NEEDED"
    RELEASED_WITH_REASON = "RELEASED_WITH_REASON"
    HOLD_TIMED_OUT = "HOLD_TIMED_OUT"
    HOLD_CLOSED = "HOLD_CLOSED"
    TAKEN_BACK_FOR_REFUND = "TAKEN_BACK_FOR_REFUND"
    TAKEN_BACK_FOR_VOID = "TAKEN_BACK_FOR_VOID"
    KEPT = "KEPT"
    KEPT_FOR_VOID = "KEPT_FOR_VOID"
    TAKEN_BACK = "TAKEN_BACK"
    GIVEN_BACK = "GIVEN_BACK"
    FORGIVEN = "FORGIVEN"
    FORGIVEN_SPENT = "FORGIVEN_SPENT"
    RECLAIMED = "RECLAIMED"
    RECLAIMED_EXPIRED = "RECLAIMED_EXPIRED"
    EXPIRED = "EXPIRED"
    FORFEITED = "FORFEITED"
    REINSTATED = "REINSTATED"
    REINSTATED_WITH_REASON = "REINSTATED_WITH_REASON"
    GIVEN_AWAY = "GIVEN_AWAY"
    GIVING_FEE = "GIVING_FEE"
    RECEIVED = "RECEIVED"
    NOT_RECEIVED = "NOT_RECEIVED"
    MERGED_OUT = "MERGED_OUT"
    MERGED_IN = "MERGED_IN"
    PARTED_OUT = "PARTED_OUT"
    PARTED_IN = "PARTED_IN"
    MIGRATED = "MIGRATED"
    WELCOME = "WELCOME"
    ADDED_BY_HAND = "ADDED_BY_HAND"
    TAKEN_BY_HAND = "TAKEN_BY_HAND"


# The four stand side by side, so that a missing one is seen at once. Sentences avoid what would
# have to agree with the number or the gender of the programme's own name for its points.
SENTENCES: Mapping[Phrase, InLanguages] = {
    Phrase.PURCHASE: (
        "{amount} for a purchase of {money}.",
        "{amount} für einen Einkauf über {money}.",
        "{money} tutarındaki alışveriş için {amount}.",
        "{amount} عن شراء بقيمة {money}.",
    ),
    Phrase.PURCHASE_BY_RULES: (
        "{amount} for a purchase: {names}.",
        "{amount} für einen Einkauf: {names}.",
        "Alışveriş için {amount}: {names}.",
        "{amount} عن شراء: {names}.",
    ),
    Phrase.ACTIVITY: (
        "{amount} {did}: {names}.",
        "{amount} {did}: {names}.",
        "{did} {amount}: {names}.",
        "{amount} {did}: {names}.",
    ),
    Phrase.WAITING: (
        "{amount} {are} waiting until {day}{rules}.",
        "{amount} {are} bis {day} vorgemerkt{rules}.",
        "{amount} {day} tarihine kadar bekliyor{rules}.",
        "{amount} قيد الانتظار حتى {day}{rules}.",
    ),
    Phrase.WAITING_FOR_EVENT: (
        "{amount} {are} waiting for {event}, until {day} at the latest{rules}.",
        "{amount} {are} bis {event} vorgemerkt, längstens bis {day}{rules}.",
        "{amount} {event} için bekliyor, en geç {day} tarihine kadar{rules}.",
        "{amount} قيد انتظار {event}، حتى {day} على الأكثر{rules}.",
    ),
    Phrase.ACTIVATED: (
        "{amount} {are} yours now: they waited until {day}.",
        "{amount} {are} jetzt verfügbar: die Wartezeit endete am {day}.",
        "{amount} artık sizin: bekleme süresi {day} tarihinde bitti.",
        "{amount} متاحة الآن: انتهى الانتظار في {day}.",
    ),
    Phrase.CANCELLED_FOR_REFUND: (
        (
            "{amount} that were waiting {are} cancelled: "
            "after a refund the purchase is worth {after} instead of {before}."
        ),
        (
            "{amount}, bisher vorgemerkt, {are} gestrichen: "
            "nach einer Rückgabe ist der Einkauf {after} statt {before} wert."
        ),
        "Bekleyen {amount} iptal edildi: iadeden sonra alışverişin değeri {before} yerine {after}.",
        (
            "أُلغيت {amount} كانت قيد الانتظار: "
            "بعد الإرجاع تساوي عملية الشراء {after} بدلًا من {before}."
        ),
    ),
    Phrase.CANCELLED_FOR_VOID: (
        "{amount} that were waiting {are} cancelled: the purchase was voided.",
        "{amount}, bisher vorgemerkt, {are} gestrichen: der Einkauf wurde storniert.",
        "Bekleyen {amount} iptal edildi: alışveriş iptal edildi.",
        "أُلغيت {amount} كانت قيد الانتظار: أُلغيت عملية الشراء.",
    ),
    Phrase.CANCELLED_BY_HAND: (
        "{amount} that were waiting {are} cancelled by hand: {text}",
        "{amount}, bisher vorgemerkt, {are} von Hand gestrichen: {text}",
        "Bekleyen {amount} elle iptal edildi: {text}",
        "أُلغيت يدويًا {amount} كانت قيد الانتظار: {text}",
    ),
    Phrase.SPENT: (
        "{amount} spent.",
        "{amount} eingelöst.",
        "{amount} harcandı.",
        "استُخدمت {amount}.",
    ),
    Phrase.SPENT_FOR_REWARD: (
        "{amount} spent for {name}.",
        "{amount} eingelöst für {name}.",
        "{name} için {amount} harcandı.",
        "استُخدمت {amount} مقابل {name}.",
    ),
    Phrase.PAID: (
        "{amount} paid {money} of a purchase.",
        "Mit {amount} wurden {money} eines Einkaufs bezahlt.",
        "{amount} ile bir alışverişin {money} tutarı ödendi.",
        "دُفع {money} من عملية شراء بواسطة {amount}.",
    ),
    Phrase.PAID_BACK: (
        "{amount} given back: they had paid {money} of goods that were brought back.",
        "{amount} zurückgegeben: damit waren {money} für zurückgebrachte Ware bezahlt.",
        "{amount} geri verildi: iade edilen ürünlerin {money} tutarı bununla ödenmişti.",
        "أُعيدت {amount}: كانت قد دفعت {money} من بضاعة أُرجعت.",
    ),
    Phrase.REDEMPTION_CANCELLED: (
        "{amount} given back: a redemption was cancelled.",
        "{amount} zurückgegeben: eine Einlösung wurde storniert.",
        "{amount} geri verildi: bir kullanım iptal edildi.",
        "أُعيدت {amount}: أُلغيت عملية استبدال.",
    ),
    Phrase.HELD: (
        "{amount} set aside.",
        "{amount} zurückgelegt.",
        "{amount} ayrıldı.",
        "حُجزت {amount}.",
    ),
    Phrase.HELD_FOR_REWARD: (
        "{amount} set aside for {name}.",
        "{amount} zurückgelegt für {name}.",
        "{name} için {amount} ayrıldı.",
        "حُجزت {amount} مقابل {name}.",
    ),
    Phrase.HELD_WITH_REASON: (
        "{amount} set aside: {text}",
        "{amount} zurückgelegt: {text}",
        "{amount} ayrıldı: {text}",
        "حُجزت {amount}: {text}",
    ),
    Phrase.CAPTURED: (
        "{amount} that were set aside {are} spent.",
        "{amount}, zuvor zurückgelegt, {are} eingelöst.",
        "Ayrılmış olan {amount} harcandı.",
        "استُخدمت {amount} كانت محجوزة.",
    ),
    Phrase.CAPTURED_FOR_REWARD: (
        "{amount} that were set aside {are} spent for {name}.",
        "{amount}, zuvor zurückgelegt, {are} eingelöst für {name}.",
        "Ayrılmış olan {amount} {name} için harcandı.",
        "استُخدمت {amount} كانت محجوزة مقابل {name}.",
    ),
    Phrase.CAPTURED_WITH_REASON: (
        "{amount} that were set aside {are} spent: {text}",
        "{amount}, zuvor zurückgelegt, {are} eingelöst: {text}",
        "Ayrılmış olan {amount} harcandı: {text}",
        "استُخدمت {amount} كانت محجوزة: {text}",
    ),
    Phrase.NOT_REDEEMED: (
        "{amount} that were set aside {are} back: the redemption did not happen.",
        "{amount} {are} nicht mehr zurückgelegt: die Einlösung fand nicht statt.",
        "Ayrılmış olan {amount} geri geldi: kullanım gerçekleşmedi.",
        "عادت {amount} كانت محجوزة: لم تتم عملية الاستبدال.",
    ),
    Phrase.HOLD_NOT_NEEDED: (
        "{amount} that were set aside {are} back: they were not needed.",
        "{amount} {are} nicht mehr zurückgelegt: es gab keinen Bedarf.",
        "Ayrılmış olan {amount} geri geldi: gerekmedi.",
        "عادت {amount} كانت محجوزة: لم تكن هناك حاجة إليها.",
    ),
    Phrase.RELEASED_WITH_REASON: (
        "{amount} that were set aside {are} back: {text}",
        "{amount} {are} nicht mehr zurückgelegt: {text}",
        "Ayrılmış olan {amount} geri geldi: {text}",
        "عادت {amount} كانت محجوزة: {text}",
    ),
    Phrase.HOLD_TIMED_OUT: (
        "{amount} that were set aside {are} back: the time was over.",
        "{amount} {are} nicht mehr zurückgelegt: die Frist ist abgelaufen.",
        "Ayrılmış olan {amount} geri geldi: süre doldu.",
        "عادت {amount} كانت محجوزة: انتهت المدة.",
    ),
    Phrase.HOLD_CLOSED: (
        "{amount} that were set aside {are} back: the membership was closed.",
        "{amount} {are} nicht mehr zurückgelegt: die Mitgliedschaft wurde beendet.",
        "Ayrılmış olan {amount} geri geldi: üyelik kapatıldı.",
        "عادت {amount} كانت محجوزة: أُغلقت العضوية.",
    ),
    Phrase.TAKEN_BACK_FOR_REFUND: (
        "{amount} taken back: after a refund the purchase is worth {after} instead of {before}.",
        "{amount} abgezogen: nach einer Rückgabe ist der Einkauf {after} statt {before} wert.",
        "{amount} geri alındı: iadeden sonra alışverişin değeri {before} yerine {after}.",
        "خُصمت {amount}: بعد الإرجاع تساوي عملية الشراء {after} بدلًا من {before}.",
    ),
    Phrase.TAKEN_BACK_FOR_VOID: (
        "{amount} taken back: the purchase was voided.",
        "{amount} abgezogen: der Einkauf wurde storniert.",
        "{amount} geri alındı: alışveriş iptal edildi.",
        "خُصمت {amount}: أُلغيت عملية الشراء.",
    ),
    Phrase.KEPT: (
        (
            "The {unit} stay, but count for the tier no more: "
            "after a refund the purchase is worth {after} instead of {before}."
        ),
        (
            "Der Stand bleibt, zählt aber nicht mehr für die Stufe: "
            "nach einer Rückgabe ist der Einkauf {after} statt {before} wert."
        ),
        (
            "Bakiye kalır ama seviyeye artık sayılmaz: "
            "iadeden sonra alışverişin değeri {before} yerine {after}."
        ),
        (
            "يبقى الرصيد لكنه لم يعد يُحتسب للمستوى: "
            "بعد الإرجاع تساوي عملية الشراء {after} بدلًا من {before}."
        ),
    ),
    Phrase.KEPT_FOR_VOID: (
        "The {unit} stay, but count for the tier no more: the purchase was voided.",
        "Der Stand bleibt, zählt aber nicht mehr für die Stufe: der Einkauf wurde storniert.",
        "Bakiye kalır ama seviyeye artık sayılmaz: alışveriş iptal edildi.",
        "يبقى الرصيد لكنه لم يعد يُحتسب للمستوى: أُلغيت عملية الشراء.",
    ),
    Phrase.TAKEN_BACK: (
        "{amount} taken back: {text}",
        "{amount} zurückgenommen: {text}",
        "{amount} geri alındı: {text}",
        "خُصمت {amount}: {text}",
    ),
    Phrase.GIVEN_BACK: (
        "{amount} given back: {text}",
        "{amount} zurückgegeben: {text}",
        "{amount} geri verildi: {text}",
        "أُعيدت {amount}: {text}",
    ),
    Phrase.FORGIVEN: (
        "{amount} forgiven: they were spent before the refund.",
        "{amount} erlassen: vor der Rückgabe bereits ausgegeben.",
        "{amount} silindi: iadeden önce harcanmıştı.",
        "أُعفيت {amount}: استُخدمت قبل الإرجاع.",
    ),
    Phrase.FORGIVEN_SPENT: (
        "{amount} forgiven: they were spent already.",
        "{amount} erlassen: bereits ausgegeben.",
        "{amount} silindi: daha önce harcanmıştı.",
        "أُعفيت {amount}: سبق استخدامها.",
    ),
    Phrase.RECLAIMED: (
        "{amount} no longer forgiven: the redemption they were spent in was cancelled.",
        "{amount} nicht mehr erlassen: die Einlösung von damals wurde storniert.",
        "{amount} artık silinmiş değil: harcandığı kullanım iptal edildi.",
        "لم تعد {amount} مُعفاة: أُلغيت عملية الاستبدال التي استُخدمت فيها.",
    ),
    Phrase.RECLAIMED_EXPIRED: (
        "{amount} no longer forgiven: they had expired before the refund.",
        "{amount} nicht mehr erlassen: vor der Rückgabe verfallen.",
        "{amount} artık silinmiş değil: iadeden önce süresi dolmuştu.",
        "لم تعد {amount} مُعفاة: انتهت صلاحيتها قبل الإرجاع.",
    ),
    Phrase.EXPIRED: (
        "{amount} expired at the end of {day}.",
        "{amount} {are} mit Ablauf des {day} verfallen.",
        "{amount} {day} sonunda geçerliliğini yitirdi.",
        "انتهت صلاحية {amount} بنهاية {day}.",
    ),
    Phrase.FORFEITED: (
        "{amount} forfeited: the membership was closed.",
        "{amount} {are} verfallen: die Mitgliedschaft wurde beendet.",
        "{amount} silindi: üyelik kapatıldı.",
        "سقطت {amount}: أُغلقت العضوية.",
    ),
    Phrase.REINSTATED: (
        "{amount} {are} valid again until {day}.",
        "{amount} {are} wieder gültig bis {day}.",
        "{amount} {day} tarihine kadar yeniden geçerli.",
        "{amount} صالحة من جديد حتى {day}.",
    ),
    Phrase.REINSTATED_WITH_REASON: (
        "{amount} {are} valid again until {day}: {text}",
        "{amount} {are} wieder gültig bis {day}: {text}",
        "{amount} {day} tarihine kadar yeniden geçerli: {text}",
        "{amount} صالحة من جديد حتى {day}: {text}",
    ),
    Phrase.GIVEN_AWAY: (
        "{amount} given to another member.",
        "{amount} an ein anderes Mitglied weitergegeben.",
        "{amount} başka bir üyeye verildi.",
        "حُوّلت {amount} إلى عضو آخر.",
    ),
    Phrase.GIVING_FEE: (
        "{amount} paid for giving points to another member.",
        "{amount} Gebühr für die Weitergabe an ein anderes Mitglied.",
        "Başka bir üyeye verme ücreti olarak {amount}.",
        "{amount} رسوم التحويل إلى عضو آخر.",
    ),
    Phrase.RECEIVED: (
        "{amount} received from another member.",
        "{amount} von einem anderen Mitglied erhalten.",
        "{amount} başka bir üyeden alındı.",
        "استُلمت {amount} من عضو آخر.",
    ),
    Phrase.NOT_RECEIVED: (
        "{amount} given back: they could not reach the other member.",
        "{amount} zurückgegeben: das andere Mitglied war nicht erreichbar.",
        "{amount} geri verildi: diğer üyeye ulaştırılamadı.",
        "أُعيدت {amount}: تعذّر وصولها إلى العضو الآخر.",
    ),
    Phrase.MERGED_OUT: (
        "{amount} moved to the account this one was joined to.",
        "{amount} auf das Konto übertragen, mit dem dieses zusammengelegt wurde.",
        "{amount} bu hesabın birleştirildiği hesaba taşındı.",
        "نُقلت {amount} إلى الحساب الذي دُمج فيه هذا الحساب.",
    ),
    Phrase.MERGED_IN: (
        "{amount} from the account that was joined to this one.",
        "{amount} von dem Konto, das mit diesem zusammengelegt wurde.",
        "Bu hesapla birleştirilen hesaptan {amount}.",
        "{amount} من الحساب الذي دُمج في هذا الحساب.",
    ),
    Phrase.PARTED_OUT: (
        "{amount} given back to the account that was parted from this one.",
        "{amount} an das Konto zurückgegeben, das von diesem getrennt wurde.",
        "{amount} bu hesaptan ayrılan hesaba geri verildi.",
        "أُعيدت {amount} إلى الحساب الذي فُصل عن هذا الحساب.",
    ),
    Phrase.PARTED_IN: (
        "{amount} back from the account that this one was parted from.",
        "{amount} zurück von dem Konto, von dem dieses getrennt wurde.",
        "Bu hesabın ayrıldığı hesaptan {amount} geri geldi.",
        "عادت {amount} من الحساب الذي فُصل عنه هذا الحساب.",
    ),
    Phrase.MIGRATED: (
        "{amount} brought along from the system before.",
        "{amount} aus dem früheren System mitgebracht.",
        "{amount} önceki sistemden aktarıldı.",
        "نُقلت {amount} من النظام السابق.",
    ),
    Phrase.WELCOME: (
        "{amount} to welcome you to {name}.",
        "{amount} als Willkommen bei {name}.",
        "{name} üyeliğine hoş geldiniz: {amount}.",
        "{amount} ترحيبًا بكم في {name}.",
    ),
    Phrase.ADDED_BY_HAND: (
        "{amount} added by hand: {text}",
        "{amount} von Hand gutgeschrieben: {text}",
        "{amount} elle eklendi: {text}",
        "أُضيفت {amount} يدويًا: {text}",
    ),
    Phrase.TAKEN_BY_HAND: (
        "{amount} taken by hand: {text}",
        "{amount} von Hand abgezogen: {text}",
        "{amount} elle alındı: {text}",
        "خُصمت {amount} يدويًا: {text}",
    ),
}
