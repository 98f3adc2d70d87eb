// A member's home screen, and the card added to Apple Wallet.
// The token is the member's own, from your login.

import Foundation
import PassKit
import UIKit

let homeScreenQuery = """
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

struct HomeScreen: Decodable {
  struct Program: Decodable { let name, pointName, pointNamePlural: String }
  struct Expiration: Decodable { let points: Int; let expiresAt: Date }
  struct Wallet: Decodable { let available, debt: Int; let expirations: [Expiration] }
  struct Money: Decodable { let amount, currencyCode: String }
  struct Tier: Decodable { let name: String }
  struct TierStatus: Decodable {
    let tier, next: Tier?
    let progress: Int
    let amountToNext: Money?
    let pointsToNext: Int?
  }
  struct Benefit: Decodable { let code, name, description: String }
  struct Entitlement: Decodable { let benefit: Benefit; let left: Int?; let renewsAt: Date? }
  struct Plan: Decodable { let name, interval: String }
  struct Subscription: Decodable {
    let status: String
    let plan: Plan
    let periodEndsAt: Date
    let amountDue: Money
  }
  struct Reward: Decodable { let code, name: String; let imageUrl: URL? }
  struct Offer: Decodable { let reward: Reward; let cost, pointsShort: Int; let reasons: [String] }
  struct Pass: Decodable { let platform: String; let url: URL }
  struct Explanation: Decodable { let summary: String }
  struct Entry: Decodable, Identifiable {
    let id: String
    let points, balanceAfter: Int
    let at: Date
    let explanation: Explanation?
  }
  struct Entries: Decodable { let nodes: [Entry] }
  struct Member: Decodable {
    let number: String
    let firstName, lastName: String?
    let wallet: Wallet
    let tier: TierStatus?
    let entitlements: [Entitlement]
    let subscription: Subscription?
    let availableRewards: [Offer]
    let passes: [Pass]
    let cardUrl: URL?
    let entries: Entries
  }
  let program: Program?
  let me: Member?
}

struct Answer: Decodable {
  struct Failure: Decodable, Error { let message: String }
  let data: HomeScreen?
  let errors: [Failure]?
}

func homeScreen(url: URL, token: String) async throws -> HomeScreen {
  var request = URLRequest(url: url, timeoutInterval: 10)
  request.httpMethod = "POST"
  request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
  request.setValue("application/json", forHTTPHeaderField: "Content-Type")
  request.httpBody = try JSONSerialization.data(withJSONObject: ["query": homeScreenQuery])
  let (body, _) = try await URLSession.shared.data(for: request)
  let decoder = JSONDecoder()
  decoder.dateDecodingStrategy = .iso8601
  let answer = try decoder.decode(Answer.self, from: body)
  if let failure = answer.errors?.first { throw failure }
  return answer.data!
}

/// Fetches the signed card and lets the member add it. Show a PKAddPassButton that calls this:
/// Apple wants its own button in apps.
@MainActor
func addCard(_ pass: HomeScreen.Pass, from screen: UIViewController) async throws {
  let (file, _) = try await URLSession.shared.data(from: pass.url)
  let card = try PKPass(data: file)
  if let adding = PKAddPassesViewController(pass: card) { screen.present(adding, animated: true) }
}
