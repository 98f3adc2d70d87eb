// A member's home screen. Call it from a background thread; the token is the member's own, from your
// login.

package example.loyalty

import java.net.HttpURLConnection
import java.net.URI
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

private const val HOME_SCREEN = """
  # All that an app shows on a member's first screen, in one query. The member asks.
  query HomeScreen {
    program {
      name
      pointName
      pointNamePlural
    }
    me {
      number
      firstName
      lastName
      wallet {
        available
        debt
        neverExpiring
        expirations {
          points
          expiresAt
        }
      }
      tier {
        tier {
          name
          color
        }
        progress
        next {
          name
        }
        amountToNext {
          amount
          currencyCode
        }
        pointsToNext
        risk {
          at
          amountToKeep {
            amount
            currencyCode
          }
          pointsToKeep
        }
      }
      entitlements {
        benefit {
          code
          name
          description
        }
        left
        renewsAt
      }
      subscription {
        status
        plan {
          name
          interval
        }
        periodEndsAt
        amountDue {
          amount
          currencyCode
        }
      }
      availableRewards {
        reward {
          code
          name
          imageUrl
        }
        cost
        pointsShort
        reasons
      }
      passes {
        platform
        url
      }
      cardUrl
      entries(first: 10) {
        nodes {
          id
          kind
          points
          balanceAfter
          at
          explanation {
            summary
            steps {
              text
            }
          }
        }
        pageInfo {
          endCursor
          hasNextPage
        }
      }
    }
  }
"""

private val json = Json { ignoreUnknownKeys = true }

@Serializable data class Program(val name: String, val pointName: String, val pointNamePlural: String)
@Serializable data class Expiration(val points: Long, val expiresAt: String)
@Serializable data class Wallet(val available: Long, val debt: Long, val expirations: List<Expiration>)
@Serializable data class Money(val amount: String, val currencyCode: String)
@Serializable data class Tier(val name: String)
@Serializable data class TierStatus(val tier: Tier?, val next: Tier?, val progress: Int, val amountToNext: Money?, val pointsToNext: Long?)
@Serializable data class Benefit(val code: String, val name: String, val description: String)
@Serializable data class Entitlement(val benefit: Benefit, val left: Int?, val renewsAt: String?)
@Serializable data class Plan(val name: String, val interval: String)
@Serializable data class Subscription(val status: String, val plan: Plan, val periodEndsAt: String, val amountDue: Money)
@Serializable data class Reward(val code: String, val name: String, val imageUrl: String?)
@Serializable data class Offer(val reward: Reward, val cost: Long, val pointsShort: Long, val reasons: List<String>)
@Serializable data class Pass(val platform: String, val url: String)
@Serializable data class Explanation(val summary: String)
@Serializable data class Entry(val id: String, val points: Long, val balanceAfter: Long, val at: String, val explanation: Explanation?)
@Serializable data class Entries(val nodes: List<Entry>)
@Serializable data class Member(
    val number: String,
    val firstName: String?,
    val lastName: String?,
    val wallet: Wallet,
    val tier: TierStatus?,
    val entitlements: List<Entitlement>,
    val subscription: Subscription?,
    val availableRewards: List<Offer>,
    val passes: List<Pass>,
    val cardUrl: String?,
    val entries: Entries,
)
@Serializable data class HomeScreen(val program: Program?, val me: Member?)
@Serializable data class Failure(val message: String)
@Serializable data class Answer(val data: HomeScreen? = null, val errors: List<Failure> = emptyList())

fun homeScreen(url: String, token: String): HomeScreen {
    val connection = URI(url).toURL().openConnection() as HttpURLConnection
    connection.requestMethod = "POST"
    connection.connectTimeout = 10_000
    connection.readTimeout = 10_000
    connection.doOutput = true
    connection.setRequestProperty("Authorization", "Bearer $token")
    connection.setRequestProperty("Content-Type", "application/json")
    val question = buildJsonObject { put("query", HOME_SCREEN) }
    connection.outputStream.use { it.write(question.toString().encodeToByteArray()) }
    val body = (connection.errorStream ?: connection.inputStream).use { it.readBytes().decodeToString() }
    val answer = json.decodeFromString<Answer>(body)
    answer.errors.firstOrNull()?.let { error(it.message) }
    return checkNotNull(answer.data)
}
